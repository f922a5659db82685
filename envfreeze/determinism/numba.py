"""Numba's parallel loops."""

from __future__ import annotations

from envfreeze.determinism import PORTABLE, Library, Rule
from envfreeze.determinism._threads import all_cores, one_thread, recorded_threads, usable

LIBRARY = Library(
    name="numba",
    distributions=frozenset({"numba"}),
    modules=frozenset({"numba"}),
    rules=(
        Rule(
            variable="NUMBA_NUM_THREADS",
            value=lambda lock: recorded_threads(lock, "numba", usable(lock)),
            strict=all_cores,
            portable=one_thread,
            effect="Restores the recorded number of threads, by which parallel reductions are split; set "
            "only where this machine has other cores than the recorded one.",
            source="https://numba.readthedocs.io/en/stable/reference/envvars.html#envvar-NUMBA_NUM_THREADS",
        ),
        Rule(
            variable="NUMBA_CPU_NAME",
            value=lambda lock: "haswell",
            profiles=PORTABLE,
            effect="Compiles for AVX2 and FMA on every processor, and not for the one at hand.",
            source="https://numba.readthedocs.io/en/stable/reference/envvars.html#envvar-NUMBA_CPU_NAME",
        ),
    ),
)

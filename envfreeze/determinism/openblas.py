"""OpenBLAS, the linear algebra of the numpy and scipy wheels."""

from __future__ import annotations

from envfreeze.determinism import PORTABLE, Library, Rule
from envfreeze.determinism._threads import all_cores, one_thread, recorded_threads, usable

LIBRARY = Library(
    name="openblas",
    distributions=frozenset({"libopenblas", "numpy", "openblas", "scipy", "scipy-openblas32"}),
    rules=(
        Rule(
            variable="OPENBLAS_NUM_THREADS",
            value=lambda lock: recorded_threads(lock, "openblas", usable(lock)),
            strict=all_cores,
            portable=one_thread,
            effect="Restores the recorded number of threads, by which matrix products are split; set only "
            "where this machine has other cores than the recorded one.",
            since="0.1",
            cost="Slower than it could be where this machine has more cores; crowded where it has fewer.",
            source="https://www.openmathlib.org/OpenBLAS/docs/runtime_variables/",
        ),
        Rule(
            variable="OPENBLAS_CORETYPE",
            value=lambda lock: "Haswell",
            profiles=PORTABLE,
            effect="Takes the kernels for AVX2 on every processor, and not those for the one at hand.",
            since="0.2.9",
            cost="Products of matrices are up to two times slower on processors with AVX-512.",
            source="https://www.openmathlib.org/OpenBLAS/docs/runtime_variables/",
        ),
    ),
)

"""OpenBLAS, the linear algebra of the numpy and scipy wheels."""

from __future__ import annotations

from envfreeze.determinism import Library, Rule
from envfreeze.determinism._threads import all_cores, recorded_threads, usable

LIBRARY = Library(
    name="openblas",
    distributions=frozenset({"libopenblas", "numpy", "openblas", "scipy", "scipy-openblas32"}),
    rules=(
        Rule(
            variable="OPENBLAS_NUM_THREADS",
            value=lambda lock: recorded_threads(lock, "openblas", usable(lock)),
            strict=all_cores,
            effect="Restores the recorded number of threads, by which matrix products are split; set only "
            "where this machine has other cores than the recorded one.",
            since="0.1",
            cost="Slower than it could be where this machine has more cores; crowded where it has fewer.",
            source="https://www.openmathlib.org/OpenBLAS/docs/runtime_variables/",
        ),
    ),
)

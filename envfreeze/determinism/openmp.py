"""OpenMP runtimes (libgomp, libomp, libiomp5), which many compiled packages bring along."""

from __future__ import annotations

from envfreeze.determinism import Library, Rule
from envfreeze.determinism._threads import all_cores, one_thread, recorded_threads, same_cores, usable
from envfreeze.records.lock import Lock

_OPENMP = "https://www.openmp.org/spec-html/5.0/openmpch6.html"


def _dynamic(lock: Lock) -> str | None:
    return None if same_cores(lock) else "FALSE"


LIBRARY = Library(
    name="openmp",
    distributions=frozenset(
        {
            # wheels
            "catboost",
            "faiss-cpu",
            "lightgbm",
            "pyarrow",
            "scikit-learn",
            "torch",
            "xgboost",
            "xgboost-cpu",
            # conda
            "_openmp_mutex",
            "intel-openmp",
            "libgomp",
            "llvm-openmp",
            "pytorch",
        }
    ),
    rules=(
        Rule(
            variable="OMP_NUM_THREADS",
            value=lambda lock: recorded_threads(lock, "openmp", usable(lock)),
            strict=all_cores,
            portable=one_thread,
            effect="Restores the recorded number of threads, on which the order of sums depends; set only "
            "where this machine has other cores than the recorded one.",
            since="OpenMP 1.0",
            cost="Slower than it could be where this machine has more cores; crowded where it has fewer.",
            source=f"{_OPENMP}#section-6.2",
        ),
        Rule(
            variable="OMP_DYNAMIC",
            value=_dynamic,
            strict=lambda lock: "FALSE",
            portable=lambda lock: "FALSE",
            effect="Keeps the runtime from giving fewer threads than asked for when this machine has fewer "
            "cores; off is the usual default, so nothing else changes.",
            since="OpenMP 1.0",
            source=f"{_OPENMP}#section-6.3",
        ),
    ),
)

"""NumExpr, which pandas uses for large frames."""

from __future__ import annotations

from envfreeze.determinism import Library, Rule
from envfreeze.determinism._threads import recorded_threads, usable, was_set
from envfreeze.records.lock import Lock


def _threads(lock: Lock) -> str | None:
    """By itself it takes at most 8; OMP_NUM_THREADS, when set, comes before that."""
    if was_set(lock, "OMP_NUM_THREADS"):
        return None
    return recorded_threads(lock, "numexpr", min(8, usable(lock)))


LIBRARY = Library(
    name="numexpr",
    distributions=frozenset({"numexpr"}),
    modules=frozenset({"numexpr"}),
    rules=(
        Rule(
            variable="NUMEXPR_NUM_THREADS",
            value=_threads,
            strict=lambda lock: str(min(8, usable(lock) or 1)),
            effect="Restores the number of threads that it chose in the recorded run (its cores, at most 8), "
            "also where OMP_NUM_THREADS is set for others; only on a machine with other cores.",
            since="2.0",
            source="https://numexpr.readthedocs.io/en/latest/user_guide.html#threadpool-configuration",
        ),
    ),
)

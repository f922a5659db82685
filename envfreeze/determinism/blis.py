"""BLIS, the linear algebra of spaCy and of some conda environments."""

from __future__ import annotations

from envfreeze.determinism import Library, Rule
from envfreeze.determinism._threads import recorded_threads, was_set
from envfreeze.records.lock import Lock


def _threads(lock: Lock) -> str | None:
    """One thread unless it is told otherwise, and OMP_NUM_THREADS tells it as well."""
    return None if was_set(lock, "OMP_NUM_THREADS") else recorded_threads(lock, "blis", 1)


LIBRARY = Library(
    name="blis",
    distributions=frozenset({"blis"}),
    modules=frozenset({"blis"}),
    rules=(
        Rule(
            variable="BLIS_NUM_THREADS",
            value=_threads,
            strict=lambda lock: "1",
            effect="Keeps it at the recorded number of threads, by default one, where OMP_NUM_THREADS is set "
            "for others; only on a machine with other cores.",
            since="0.1.4",
            source="https://github.com/flame/blis/blob/master/docs/Multithreading.md",
        ),
    ),
)

"""CPython: the order of sets and of everything that follows from the hash of a string."""

from __future__ import annotations

from envfreeze.determinism import Call, Library, Rule
from envfreeze.records.lock import Lock


def _hash_seed(lock: Lock) -> str | None:
    """Not where tapes give back the hash secret that the recorded run drew: another one sorts otherwise."""
    return None if lock.run is not None and lock.run.tapes is not None else "0"


LIBRARY = Library(
    name="python",
    rules=(
        Rule(
            variable="PYTHONHASHSEED",
            value=_hash_seed,
            strict=lambda lock: "0",
            effect="Strings hash the same in every process, so sets of them keep their order. A run whose "
            "results did not depend on that order is not changed.",
            since="3.2.3",
            source="https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED",
        ),
    ),
    calls=(
        Call(
            call="random.seed",
            value=str,
            effect="Seeds the module random where the shim could not be loaded, which seeds all randomness.",
            source="https://docs.python.org/3/library/random.html#random.seed",
        ),
    ),
)

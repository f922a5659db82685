"""CPython: the order of sets and of everything that follows from the hash of a string."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from envfreeze.determinism import Call, Library, Rule
from envfreeze.records.lock import Lock
from envfreeze.records.settings import Setting

HASH_SEED = "PYTHONHASHSEED"
_SOURCE = "https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED"
_MOST = 4294967295


def drawn_hash_seed(given: Mapping[str, str]) -> tuple[Setting, ...]:
    """A hash secret for a run whose own cannot be seen, drawn by chance; none when it is given one.

    Args:
        given: the variables of the run.
    """
    if given.get(HASH_SEED, "random") not in ("", "random"):
        return ()
    drawn = Setting(
        variable=HASH_SEED,
        value=str(1 + secrets.randbelow(_MOST)),
        library="python",
        why="Python's hash secret cannot be seen without the shim, so one was drawn for the run.",
        source=_SOURCE,
    )
    return (drawn,)


def _hash_seed(lock: Lock) -> str | None:
    """Not where tapes give back the hash secret that the recorded run drew: another one sorts otherwise.

    Where the shim could not see the secret the run was given one, which is among its settings.
    """
    for setting in lock.run.settings if lock.run is not None else ():
        if setting.variable == HASH_SEED:
            return setting.value
    return None if lock.run is not None and lock.run.tapes is not None else "0"


LIBRARY = Library(
    name="python",
    rules=(
        Rule(
            variable=HASH_SEED,
            value=_hash_seed,
            strict=lambda lock: "0",
            effect="Strings hash the same in every process, so sets of them keep their order. A run whose "
            "results did not depend on that order is not changed.",
            since="3.2.3",
            source=_SOURCE,
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

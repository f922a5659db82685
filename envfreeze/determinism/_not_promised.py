"""Operations for which the libraries of a lock promise no bits, for people: from their own documentation."""

from __future__ import annotations

from collections.abc import Sequence

from envfreeze.determinism import installed, libraries
from envfreeze.determinism._threads import has_gpu
from envfreeze.records.comparison import Comparison
from envfreeze.records.lock import Lock
from envfreeze.records.verdict import Verdict

_MOST_WARNINGS = 5


def on_gpu(lock: Lock) -> bool:
    """True when the recorded run had a GPU, NVIDIA's or AMD's."""
    return has_gpu(lock) or (lock.rocm is not None and bool(lock.rocm.gpus))


def not_promised(lock: Lock) -> tuple[tuple[str, str], ...]:
    """Library and operations, with their source, as its ``Library.nondeterministic`` lists them.

    Most of them are operations on GPUs; without one in the lock the list is empty.
    """
    if not on_gpu(lock):
        return ()
    names = set(installed(lock))
    return tuple(
        (library.name, "; ".join(library.nondeterministic))
        for library in libraries()
        if library.nondeterministic and library.distributions & names
    )


def doubts(lock: Lock, warned: Sequence[str], comparison: Comparison | None) -> tuple[str, ...]:
    """Sentences on what may have made a replay differ beside its environment.

    Args:
        warned: what libraries warned of in the replay; the lock knows that of the recorded run.
    """
    recorded = lock.run.warned if lock.run is not None else ()
    both = tuple(dict.fromkeys((*recorded, *warned)))
    notes = tuple(f"a library warned: {text}" for text in both[:_MOST_WARNINGS])
    if comparison is None or comparison.verdict is Verdict.IDENTICAL:
        return notes
    return notes + tuple(
        f"{name} promises no bits on a GPU for: {text}; the profile strict asks for deterministic forms"
        for name, text in not_promised(lock)
    )

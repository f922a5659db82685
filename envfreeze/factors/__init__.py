"""Factors: what can be varied from one run of a frozen command to the next.

To add one, add a file with ``FACTOR = Factor(…)``; the registry finds it.
"""

from __future__ import annotations

from collections.abc import Callable

from envfreeze.errors import InputError
from envfreeze.records.base import Record
from envfreeze.records.lock import Lock
from envfreeze.records.run import Job


class Factor(Record):
    """One thing that is varied."""

    name: str
    what: str
    value: Callable[[Lock, int], str]
    """Its value in the run of that number, from 0; the same for the same number on every machine."""
    apply: Callable[[Job, str, str], Job]
    """The job with the value in it; the last argument is how the user says that it is passed, or empty."""


def factors() -> dict[str, Factor]:
    """Every factor by its name."""
    from envfreeze import factors as family
    from envfreeze.registry import members

    found = members(family, "FACTOR", Factor)
    return {factor.name: factor for factor in found}


def chosen(names: str) -> tuple[Factor, ...]:
    """The factors of a list such as ``seed,threads``.

    Raises:
        InputError: one of them does not exist.
    """
    known = factors()
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in wanted:
        if name not in known:
            raise InputError(f"there is no factor {name!r}.", hint=f"There are: {', '.join(known)}.")
    if not wanted:
        raise InputError("nothing is to be varied.", hint=f"There are: {', '.join(known)}.")
    return tuple(known[name] for name in wanted)

"""Determinism: one file a library, with the switches that make it give the same bits again.

To add one, add a file with ``LIBRARY = Library(…)``; the registry finds it.
"""

from __future__ import annotations

from collections.abc import Callable

from envfreeze.records.base import Record
from envfreeze.records.lock import Lock
from envfreeze.records.run import Setting


class Rule(Record):
    """One environment variable."""

    variable: str
    value: Callable[[Lock], str | None]
    """The value for this lock, or None when the rule does not apply."""
    effect: str
    """What it does, in words."""
    since: str = ""
    """First version of the library that knows it."""
    cost: str = ""
    """What it costs in speed or memory; empty when nothing was measurable."""
    source: str
    """Vendor page, PEP or paper that documents it."""


class Library(Record):
    """The rules of one library, applied when one of ``distributions`` is in the lock (empty: always)."""

    name: str
    distributions: frozenset[str] = frozenset()
    rules: tuple[Rule, ...]


def settings(lock: Lock) -> tuple[Setting, ...]:
    """The switches for the libraries in this lock, sorted by variable.

    A variable that was set in the recorded run is part of the run, and wins over a rule.
    """
    from envfreeze import determinism
    from envfreeze.registry import members

    installed = {package.name for package in lock.packages}
    if lock.conda is not None:
        installed |= {package.name for package in lock.conda.packages}
    recorded = lock.run.environment if lock.run else {}
    chosen: dict[str, Setting] = {}
    for library in members(determinism, "LIBRARY"):
        if isinstance(library, Library) and (not library.distributions or library.distributions & installed):
            for rule in library.rules:
                value = rule.value(lock)
                if value is not None and rule.variable not in recorded and rule.variable not in chosen:
                    chosen[rule.variable] = Setting(
                        variable=rule.variable,
                        value=value,
                        library=library.name,
                        why=rule.effect,
                        source=rule.source,
                    )
    return tuple(chosen[name] for name in sorted(chosen))

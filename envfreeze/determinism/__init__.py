"""Determinism: one file a library, with the switches that make it give the same bits again.

To add one, add a file with ``LIBRARY = Library(…)``; the registry finds it. The profiles:

- ``recorded`` observes and tapes at the freeze, and gives back at the replay;
- ``strict`` sets seeds, deterministic algorithms and one clock at both;
- ``portable`` is ``recorded`` with one instruction set for all libraries at both;
- ``off`` does nothing at both.
"""

from __future__ import annotations

from collections.abc import Callable

from envfreeze.records.base import Record
from envfreeze.records.lock import Lock
from envfreeze.records.settings import Profile, Setting

AT_FREEZE: frozenset[Profile] = frozenset({"strict", "portable"})
"""Profiles that change the recorded run too, and not its replays alone."""

PORTABLE: frozenset[Profile] = frozenset({"portable"})

EVERY: frozenset[Profile] = frozenset({"recorded", "strict", "portable"})


class Rule(Record):
    """One environment variable."""

    variable: str
    value: Callable[[Lock], str | None]
    """The value for this lock, or None when the rule does not apply."""
    strict: Callable[[Lock], str | None] | None = None
    """The value in the profile strict, where it is another; see ``fixed_here`` for the lock that it gets."""
    portable: Callable[[Lock], str | None] | None = None
    """The value in the profile portable, where it is another."""
    profiles: frozenset[Profile] = EVERY
    effect: str
    """What it does, in words."""
    since: str = ""
    """First version of the library that knows it."""
    until: str = ""
    """First version of the library that does not know it any more."""
    cost: str = ""
    """What it costs in speed or memory; empty when nothing was measurable."""
    source: str
    """Vendor page, PEP or paper that documents it."""


class Call(Record):
    """One call that the agent makes right after the import: see ``agent/envfreeze_settings_calls.py``."""

    call: str
    value: Callable[[int], str]
    """Its argument, for the seed of the run: ``true``, ``false`` or a whole number."""
    profiles: frozenset[Profile] = frozenset({"strict"})
    effect: str
    since: str = ""
    until: str = ""
    cost: str = ""
    source: str


class Library(Record):
    """The rules of one library, applied when one of ``distributions`` is in the lock (empty: always)."""

    name: str
    distributions: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    """Python modules that load it; empty when that cannot be told from the modules."""
    rules: tuple[Rule, ...] = ()
    calls: tuple[Call, ...] = ()
    advice: tuple[str, ...] = ()
    """What only the program itself can set, each with its source."""
    nondeterministic: tuple[str, ...] = ()
    """Operations that its documentation names as not deterministic, each with its source."""
    not_portable: tuple[str, ...] = ()
    """What the profile portable leaves to the processor, as measured (docs/portability.md)."""


def libraries() -> tuple[Library, ...]:
    """All libraries, by the name of their file."""
    from envfreeze import determinism
    from envfreeze.registry import members

    return tuple(members(determinism, "LIBRARY", Library))


def installed(lock: Lock) -> dict[str, str]:
    """Version of each distribution and conda package of the lock, by name."""
    found = {package.name: package.version for package in lock.packages}
    if lock.conda is not None:
        found |= {package.name: package.version for package in lock.conda.packages}
    return found


def settings(lock: Lock, profile: Profile = "recorded", *, seed: int = 0) -> tuple[Setting, ...]:
    """The switches of a replay for the libraries in this lock, variables first, each kind sorted by name.

    A variable that was set in the recorded run is part of the run, and wins over a rule.
    """
    names = set(installed(lock))
    found = [item for item in libraries() if not item.distributions or item.distributions & names]
    recorded = lock.run.environment if lock.run else {}
    return _chosen(found, lock, profile, recorded, seed)


def settings_at_freeze(profile: Profile, given: dict[str, str], *, seed: int = 0) -> tuple[Setting, ...]:
    """The switches of a run that is about to be recorded; what it will load is not known, so all of them.

    Args:
        given: the variables that the run has already; they win.
    """
    if profile not in AT_FREEZE:
        return ()
    from envfreeze.determinism._threads import this_machine

    return _chosen(libraries(), this_machine(), profile, given, seed)


def _chosen(
    found: tuple[Library, ...] | list[Library], lock: Lock, profile: Profile, given: dict[str, str], seed: int
) -> tuple[Setting, ...]:
    chosen: dict[tuple[bool, str], Setting] = {}
    for library in found:
        for rule in library.rules:
            value = _value(rule, lock, profile)
            key = False, rule.variable
            if value is not None and rule.variable not in given and key not in chosen:
                chosen[key] = Setting(
                    variable=rule.variable,
                    value=value,
                    library=library.name,
                    why=rule.effect,
                    source=rule.source,
                )
        for call in library.calls:
            key = True, call.call
            if profile in call.profiles and key not in chosen:
                chosen[key] = Setting(
                    variable=call.call,
                    value=call.value(seed),
                    library=library.name,
                    why=call.effect,
                    source=call.source,
                    kind="call",
                )
    return tuple(chosen[key] for key in sorted(chosen))


def _value(rule: Rule, lock: Lock, profile: Profile) -> str | None:
    if profile not in rule.profiles:
        return None
    if profile == "strict" and rule.strict is not None:
        return rule.strict(lock)
    if profile == "portable" and rule.portable is not None:
        return rule.portable(lock)
    return rule.value(lock)

"""What has changed since a freeze."""

from __future__ import annotations

from typing import Literal

from envfreeze.records.base import Record


class Change(Record):
    """One thing that is not as the lock has it, so that the lock no longer describes what is here."""

    area: str
    """Who looked: a file of ``envfreeze/drift/``."""
    name: str
    """Path, package or variable."""
    what: Literal["changed", "missing", "new"]
    frozen: str = ""
    """What the lock has, where that can be said in a word; ``now`` likewise."""
    now: str = ""


class Status(Record):
    """The answer of ``envfreeze status``."""

    lock: str
    """Path of the lockfile."""
    drifted: bool
    """True when there are changes."""
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    """What differs without making the lock wrong, and what could not be looked at."""
    looked: dict[str, int] = {}
    """How many things each area compared; an area that is not named was not looked at."""

"""What ``envfreeze check`` found: whether a command is deterministic, and what it is not deterministic by."""

from __future__ import annotations

from typing import Literal

from envfreeze.records.base import Record, Seconds

SourceName = Literal["hashseed", "entropy", "clock", "order", "aslr", "threads", "gpu"]


class Differing(Record):
    """An output that two runs made differently."""

    path: str
    """Relative to the project; ``<stdout>`` and ``<exit status>`` for the run's own."""
    reason: str
    """In words, with the first difference."""


class Reaction(Record):
    """What the outputs did when one source was let go, all others being held."""

    source: SourceName
    reacts: bool
    outputs: tuple[str, ...] = ()
    """Paths of those that changed."""
    how: str
    """What was done to the source."""


class Checked(Record, omit_defaults=False):
    """The result of a check."""

    command: tuple[str, ...]
    deterministic: bool
    runs: int
    """Plain runs that were compared."""
    duration: Seconds
    """Of the first run."""
    exit_status: int
    differing: tuple[Differing, ...] = ()
    """In the order in which the outputs were written."""
    agrees_when_held: bool | None = None
    """Whether two runs agree with every source held; None when that was not tried."""
    sources: tuple[Reaction, ...] = ()
    notes: tuple[str, ...] = ()

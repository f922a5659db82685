"""What ``envfreeze init`` added to a repository."""

from __future__ import annotations

from envfreeze.records.base import Record


class PreparedFile(Record):
    """A file that was made or that grew."""

    path: str
    new: bool
    diff: str
    """Unified diff, with paths relative to the repository."""


class Prepared(Record):
    """All files, and what is left to the user."""

    files: tuple[PreparedFile, ...] = ()
    hints: tuple[str, ...] = ()
    written: bool = True
    """False when it was only asked what would be added."""

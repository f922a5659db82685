"""What a paper claims of its outputs, and whether two runs bear it."""

from __future__ import annotations

from envfreeze.records.base import Record


class Claim(Record):
    """One entry of ``claims.yaml``."""

    id: str
    holds: str
    """The expression, see ``envfreeze.claims``."""
    location: str = ""
    """Where the paper says it, for example ``Table 2``."""
    text: str = ""
    """What it says there."""


class ClaimResult(Record, omit_defaults=False):
    """A claim held against the outputs of the original and of a replay."""

    id: str
    expression: str
    location: str = ""
    text: str = ""
    original: bool | None = None
    """None when it cannot be decided."""
    replay: bool | None = None
    reason: str = ""
    """The values that decide it, or what is missing."""

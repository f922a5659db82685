"""The result of holding two sets of outputs against each other."""

from __future__ import annotations

from envfreeze.records.base import Bytes, Record
from envfreeze.records.claims import ClaimResult
from envfreeze.records.verdict import Verdict


class Difference(Record):
    """One place where two outputs part."""

    where: str
    """For example ``$.accuracy``, ``line 12``, ``row 3, column loss``, ``arr_0[4, 2]``."""
    original: str
    replay: str
    note: str = ""


class OutputComparison(Record, omit_defaults=False):
    """One output, original against replay."""

    path: str
    """Relative to the project; ``<stdout>``, ``<stderr>`` and ``<exit status>`` for the run's own."""
    verdict: Verdict
    reason: str
    """In words, with the first or largest difference."""
    comparator: str = ""
    original_size: Bytes | None = None
    replay_size: Bytes | None = None
    set_aside: tuple[str, ...] = ()
    """Documented non-results that were not compared, for example ``date: 2 places``."""
    differences: tuple[Difference, ...] = ()
    """The first few."""
    counts: bool = True
    """False for what is shown but is no result (standard error)."""


class Comparison(Record, omit_defaults=False):
    """All outputs; ``verdict`` is the worst of those that count."""

    verdict: Verdict
    outputs: tuple[OutputComparison, ...] = ()
    original: str = ""
    """What was compared, in words or as a path."""
    replay: str = ""
    claims: tuple[ClaimResult, ...] = ()
    """What the paper claims, checked for both."""

"""A report: what is said of one comparison, before it is laid out as HTML, Markdown or JUnit XML."""

from __future__ import annotations

from envfreeze.records.base import Bytes, Record
from envfreeze.records.comparison import Difference
from envfreeze.records.files import Gap
from envfreeze.records.run import Setting
from envfreeze.records.tapes import LeftTape
from envfreeze.records.verdict import Verdict


class Fact(Record):
    """One line of the table that holds the recorded environment against the replay's."""

    name: str
    recorded: str
    replay: str

    @property
    def same(self) -> bool:
        """Whether both sides say the same."""
        return self.recorded == self.replay


class Picture(Record):
    """An image output, ready to be embedded."""

    caption: str
    data: str
    """A ``data:`` URL (RFC 2397) of a PNG or JPEG, small enough for a report."""
    width: int
    height: int


class Curve(Record):
    """One quantity over the steps of both runs."""

    name: str
    original: tuple[float | None, ...]
    replay: tuple[float | None, ...]
    steps: tuple[float, ...] = ()
    """Place of each value on the horizontal axis; empty when they are counted from 0."""
    parting: int | None = None
    """Index of the first value that differs; None when none does."""


class OutputReport(Record):
    """One output with all that can be shown of it."""

    path: str
    verdict: Verdict
    reason: str
    counts: bool
    comparator: str = ""
    original_size: Bytes | None = None
    replay_size: Bytes | None = None
    set_aside: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    pictures: tuple[Picture, ...] = ()
    """The original, the replay's, and where they differ."""
    curves: tuple[Curve, ...] = ()


class Distribution(Record):
    """The values of one metric over the seeds of a sweep."""

    metric: str
    values: tuple[float, ...]
    original: float | None = None
    replay: float | None = None
    note: str = ""


class ClaimReport(Record):
    """One claim of the paper, and whether the replay's outputs bear it."""

    id: str
    text: str
    expression: str
    holds: bool | None
    """None when it could not be decided."""
    reason: str = ""
    location: str = ""
    """Where the paper says it, for example ``Table 2``."""


class Report(Record):
    """All that a report says, in the order in which it says it."""

    title: str
    sentence: str
    verdict: Verdict | None
    """None for a sweep, which compares nothing."""
    required: Verdict = Verdict.EQUIVALENT
    """The least agreement that counts as reproduced."""
    outputs: tuple[OutputReport, ...] = ()
    claims: tuple[ClaimReport, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    facts: tuple[Fact, ...] = ()
    settings: tuple[Setting, ...] = ()
    notes: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    """What the freeze could not capture."""
    left_tape: tuple[LeftTape, ...] = ()
    tapes: str = ""
    """The state of the tapes, in a sentence."""
    again: tuple[str, ...] = ()
    """Commands that do the same again."""
    made_by: str = ""

    @property
    def reproduced(self) -> bool:
        """Whether all that counts is at least as good as was asked for."""
        return self.verdict is not None and self.verdict.satisfies(self.required)

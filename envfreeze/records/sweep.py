"""A frozen command run many times, and what its metrics do over the seeds."""

from __future__ import annotations

from typing import Literal

from envfreeze.records.base import Record, Seconds, Sha256
from envfreeze.records.metrics import Metric
from envfreeze.records.verdict import Verdict


class SweepRun(Record):
    """One run of a sweep, kept as ``runs/<number>/run.json`` of the sweep's folder."""

    number: int
    """From 0; with the factors it decides ``values``."""
    values: dict[str, str]
    """What each factor was set to, for example ``{"seed": "3"}``."""
    exit_status: int = 0
    failed: bool = False
    """True when it ended otherwise than the frozen run, or ran out of time."""
    duration: Seconds = 0.0
    metrics: tuple[Metric, ...] = ()
    outputs: dict[str, str] = {}
    """SHA-256 of each output by its path, of links the target; ``<stdout>`` is among them."""
    missing: tuple[str, ...] = ()
    """Named metrics that it does not have, in words."""


class Sweep(Record):
    """All runs of a frozen command under other seeds, kept as ``.envfreeze/sweeps/<id>/sweep.json``."""

    id: str
    lock: Sha256
    """Digest of the lockfile's bytes."""
    engine: str
    command: tuple[str, ...]
    factors: tuple[str, ...]
    seed_to: str = ""
    """What took the seed: an option or word of the command, a variable, or the profile strict."""
    first: int = 1
    """The first seed."""
    named: tuple[str, ...] = ()
    """Metrics that were asked for by name; empty means all that are found."""
    runs: tuple[SweepRun, ...] = ()

    @property
    def good(self) -> tuple[SweepRun, ...]:
        """The runs that ended as the frozen one did."""
        return tuple(run for run in self.runs if not run.failed)


class Summary(Record, omit_defaults=False):
    """What a sample of one metric looks like."""

    count: int
    mean: float
    sd: float | None
    """Sample standard deviation (n − 1); None for one value."""
    median: float
    minimum: float
    maximum: float
    interval: tuple[float, float] | None = None
    """Bootstrap interval of the mean; None where it cannot be computed."""
    confidence: float = 0.95


class MetricDistribution(Record, omit_defaults=False):
    """One metric over the runs of a sweep, and where the original lies in it."""

    metric: str
    values: tuple[float, ...]
    summary: Summary
    original: float | None = None
    quantile: float | None = None
    """Share of the runs below the original, equal ones counted by half."""
    p: float | None = None
    """Two-sided p of the original as one more draw (Student's prediction interval)."""
    inside: bool | None = None
    """Whether the original is within the prediction interval; None when that cannot be said."""
    note: str = ""


class MetricComparison(Record, omit_defaults=False):
    """One metric of two sweeps held against each other."""

    metric: str
    first: Summary
    second: Summary
    difference: float
    """Mean of the second minus mean of the first."""
    interval: tuple[float, float] | None
    """Bootstrap interval of the difference."""
    p: float
    """Permutation test of the difference of means, two-sided."""
    p_adjusted: float
    """The same after Holm's correction over the metrics."""
    p_ranks: float
    """Mann–Whitney test, two-sided."""
    hedges_g: float | None
    """Standardised difference, corrected for small samples; None without spread."""
    cliffs_delta: float
    """P(second > first) − P(second < first)."""
    p_equivalent: float | None = None
    """Two one-sided Welch tests against the margin, after Holm's correction; None without a margin."""
    power: float | None = None
    """Of a t-test to see a difference of the size of interest with these numbers of runs."""
    needed: int | None = None
    """Runs on each side for a power of 0.8."""
    conclusion: Literal["differ", "equivalent", "undecided"]
    reason: str = ""


class SweepComparison(Record, omit_defaults=False):
    """Two sweeps held against each other, metric by metric."""

    verdict: Verdict
    sentence: str
    alpha: float
    margin: float | None
    metrics: tuple[MetricComparison, ...] = ()
    first: str = ""
    second: str = ""
    left_out: tuple[str, ...] = ()
    """Metrics that were not compared, with the reason."""

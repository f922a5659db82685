"""A replay whose outputs differ, held against the sweep of its lock (the rule: ``docs/verdicts.md``)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from envfreeze.compare.outputs import EXIT_STATUS
from envfreeze.compare.sides import Side
from envfreeze.errors import InputError
from envfreeze.metrics._find import find, named
from envfreeze.records.base import Record
from envfreeze.records.comparison import Comparison, OutputComparison
from envfreeze.records.sweep import Sweep
from envfreeze.records.verdict import Verdict, worst
from envfreeze.statistics import ALPHA
from envfreeze.statistics.samples import holm, prediction_interval, prediction_p
from envfreeze.sweeps.describe import samples, values_of

MIN_RUNS = 10
"""Runs of a sweep below which nothing is called indistinguishable: Student's prediction interval of four runs
reaches 3.6 standard deviations to each side, that of ten 2.4, and that of very many 2.0."""


class Standing(Record):
    """How one metric of a replay stands to the sweep."""

    name: str
    value: float
    values: tuple[float, ...]
    p: float
    """Adjusted by Holm's method."""


def with_sweep(comparison: Comparison, sweep: Sweep, replay: Side, *, alpha: float = ALPHA) -> Comparison:
    """The comparison with the sweep's say; outputs that are ``different`` may become ``indistinguishable``.

    Raises:
        EnvironmentFailure: SciPy is not installed.
    """
    candidates = [output for output in comparison.outputs if _may_be_lifted(output)]
    if not candidates:
        return comparison
    problem = _problem(sweep)
    standings: list[Standing] = []
    if problem is None:
        standings, problem = _standings(sweep, replay)
    outside = [standing for standing in standings if standing.p <= alpha]
    if problem is None and outside:
        problem = _told_apart(outside[0], alpha / len(standings))
    outputs = tuple(
        _judged(output, sweep, standings, problem, alpha) if output in candidates else output
        for output in comparison.outputs
    )
    return replace(
        comparison,
        verdict=worst([output.verdict for output in outputs if output.counts]),
        outputs=outputs,
    )


def _may_be_lifted(output: OutputComparison) -> bool:
    return output.verdict is Verdict.DIFFERENT and output.counts and output.path != EXIT_STATUS


def _problem(sweep: Sweep) -> str | None:
    """Why this sweep cannot say anything."""
    if "seed" not in sweep.factors:
        return f"the sweep varied {', '.join(sweep.factors)} and no seeds"
    failed = len(sweep.runs) - len(sweep.good)
    if failed:
        return f"{failed} of the sweep's {len(sweep.runs)} runs failed"
    if len(sweep.runs) < MIN_RUNS:
        return f"the sweep has {len(sweep.runs)} runs, and {MIN_RUNS} are needed"
    return None


def _standings(sweep: Sweep, replay: Side) -> tuple[list[Standing], str | None]:
    """How each metric of the sweep stands in the replay, the most suspicious first; or why none is known."""
    usable, left_out = samples(sweep)
    if left_out:
        return [], f"the sweep does not say enough: {left_out[0]}"
    if not usable:
        return [], "the sweep has no metrics"
    try:
        wanted = [named(text) for text in sweep.named]
    except InputError as error:
        return [], str(error)
    found, missing = find(replay, wanted)
    values = values_of(found)
    for name in usable:
        if values.get(name) is None:
            return [], f"{name} is not a number in the replay, or is not there" + "".join(missing[:1])
    new = [name for name in values if name not in usable]
    if new:
        return [], f"{new[0]} is in the replay and in no run of the sweep"
    raw = [prediction_p(values[name] or 0.0, numbers) or 0.0 for name, numbers in usable.items()]
    standings = [
        Standing(name=name, value=values[name] or 0.0, values=tuple(usable[name]), p=p)
        for name, p in zip(usable, holm(raw), strict=True)
    ]
    if all(min(item.values) == max(item.values) for item in standings):
        return [], "no metric differs between the runs of the sweep: the seed reaches none"
    return sorted(standings, key=lambda item: item.p), None


def _told_apart(item: Standing, level: float) -> str:
    if min(item.values) == max(item.values):
        same = f"{item.values[0]:g} in all {len(item.values)} runs of the sweep"
        return f"{item.name} = {item.value:g}, and {same}"
    low, high = prediction_interval(item.values, level)
    return (
        f"{item.name} = {item.value:g} lies outside of {low:.6g} to {high:.6g}, where "
        f"{len(item.values)} seeds put it (p = {item.p:.2g})"
    )


def _judged(
    output: OutputComparison, sweep: Sweep, standings: Sequence[Standing], problem: str | None, alpha: float
) -> OutputComparison:
    count = len(sweep.runs)
    if problem is None and len({run.outputs.get(output.path) for run in sweep.runs}) < 2:
        problem = f"it was the same in all {count} runs of the sweep"
    if problem is not None:
        return replace(output, reason=f"{output.reason}; not excused by seeds: {problem}")
    metrics = f"{len(standings)} metric{'s lie' if len(standings) > 1 else ' lies'}"
    why = f"{metrics} where {count} seeds put them (Student's prediction interval, α = {alpha:g}, Holm)"
    return replace(output, verdict=Verdict.INDISTINGUISHABLE, reason=f"{output.reason}; {why}")


def for_comparison(sweeps: Sequence[Sweep]) -> Sweep | None:
    """The sweep with the most good runs among those that varied the seed alone, or else any."""
    pure = [sweep for sweep in sweeps if sweep.factors == ("seed",)]
    return max(pure or sweeps, key=lambda sweep: len(sweep.good), default=None)

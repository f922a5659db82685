"""What the metrics of a sweep do, and where the original lies among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envfreeze.metrics._find import find, named
from envfreeze.records.lock import Lock
from envfreeze.records.metrics import Metric
from envfreeze.records.sweep import MetricDistribution, Sweep
from envfreeze.runs import original_side
from envfreeze.statistics import ALPHA
from envfreeze.statistics.samples import prediction_p, quantile, summarise
from envfreeze.store import Store


def samples(sweep: Sweep) -> tuple[dict[str, list[float]], tuple[str, ...]]:
    """Values of each metric that every good run has as a finite number, and why others are left out."""
    by_name: dict[str, list[float | None]] = {}
    for run in sweep.good:
        for metric in run.metrics:
            by_name.setdefault(metric.name, []).append(metric.value)
    usable: dict[str, list[float]] = {}
    left_out = list(dict.fromkeys(text for run in sweep.good for text in run.missing))
    for name, values in sorted(by_name.items()):
        finite = [value for value in values if value is not None]
        if len(finite) == len(sweep.good):
            usable[name] = finite
        elif len(values) < len(sweep.good):
            left_out.append(f"{name}: only {len(values)} of {len(sweep.good)} runs have it")
        else:
            left_out.append(f"{name}: no finite number in {len(values) - len(finite)} runs")
    return usable, tuple(left_out)


def values_of(metrics: Sequence[Metric]) -> dict[str, float | None]:
    """Value by name."""
    return {metric.name: metric.value for metric in metrics}


def original_metrics(lock: Lock, store: Store, sweep: Sweep) -> dict[str, float | None]:
    """The same metrics in the frozen run's outputs.

    Raises:
        InputError: the store's list of outputs is damaged.
    """
    side, _ = original_side(lock, store)
    found, _ = find(side, [named(text) for text in sweep.named])
    return values_of(found)


def describe(
    sweep: Sweep, original: Mapping[str, float | None], *, alpha: float = ALPHA
) -> tuple[tuple[MetricDistribution, ...], tuple[str, ...]]:
    """The distribution of each metric, and why others are left out.

    Raises:
        EnvironmentFailure: SciPy is not installed.
    """
    usable, left_out = samples(sweep)
    return tuple(_one(name, values, original.get(name), alpha) for name, values in usable.items()), left_out


def _one(name: str, values: list[float], original: float | None, alpha: float) -> MetricDistribution:
    p = None if original is None else prediction_p(original, values)
    note = ""
    if min(values) == max(values) and len(values) > 1:
        note = "the same in every run: what is varied does not reach it"
    elif original is None:
        note = "the original does not have it"
    return MetricDistribution(
        metric=name,
        values=tuple(values),
        summary=summarise(values),
        original=original,
        quantile=None if original is None else quantile(original, values),
        p=p,
        inside=None if p is None else p > alpha,
        note=note,
    )

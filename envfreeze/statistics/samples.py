"""One sample: its summary, and whether one more value could be of it."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Sequence

from envfreeze.records.sweep import Summary
from envfreeze.statistics import RESAMPLES, SEED, scipy_stats


def summarise(values: Sequence[float], *, confidence: float = 0.95) -> Summary:
    """Mean, spread, median and the bootstrap interval of the mean (BCa: Efron, JASA 82, 1987, 171–185).

    Args:
        values: at least one finite number.

    Raises:
        EnvironmentFailure: SciPy is not installed.
    """
    return Summary(
        count=len(values),
        mean=statistics.fmean(values),
        sd=statistics.stdev(values) if len(values) > 1 else None,
        median=statistics.median(values),
        minimum=min(values),
        maximum=max(values),
        interval=mean_interval(values, confidence),
        confidence=confidence,
    )


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Bootstrap interval of the mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    if min(values) == max(values):
        return values[0], values[0]
    import numpy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # BCa of nearly constant samples
        found = scipy_stats().bootstrap(
            (numpy.asarray(values),),
            numpy.mean,
            n_resamples=RESAMPLES,
            confidence_level=confidence,
            method="BCa",
            rng=numpy.random.default_rng(SEED),
        )
    low, high = (float(bound) for bound in found.confidence_interval)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def quantile(value: float, values: Sequence[float]) -> float:
    """Share of the values below this one, equal ones counted by half."""
    below = sum(other < value for other in values) + sum(other == value for other in values) / 2
    return below / len(values)


def prediction_p(value: float, values: Sequence[float]) -> float | None:
    """Two-sided p of ``value`` as one more draw from where ``values`` come from.

    Student's prediction interval of one future observation: t = (x − mean) / (s √(1 + 1/n)) with n − 1
    degrees of freedom (Hahn and Meeker, Statistical Intervals, 1991, section 4.7). Without any spread
    only the same value fits. None for fewer than two values.
    """
    count = len(values)
    if count < 2:
        return None
    spread = statistics.stdev(values)
    if spread == 0 or min(values) == max(values):
        return 1.0 if value == values[0] else 0.0
    t = (value - statistics.fmean(values)) / (spread * math.sqrt(1 + 1 / count))
    return float(2 * scipy_stats().t.sf(abs(t), count - 1))


def prediction_interval(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """Where one more draw lies with probability 1 − ``alpha``; at least two values."""
    count, mean, spread = len(values), statistics.fmean(values), statistics.stdev(values)
    reach = float(scipy_stats().t.isf(alpha / 2, count - 1)) * spread * math.sqrt(1 + 1 / count)
    return mean - reach, mean + reach


def holm(values: Sequence[float]) -> list[float]:
    """p-values adjusted so that all of them together raise a false alarm at the stated rate at most
    (Holm, Scandinavian Journal of Statistics 6, 1979, 65–70)."""
    adjusted = [0.0] * len(values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda place: values[place])):
        largest = max(largest, min(1.0, values[place] * (len(values) - rank)))
        adjusted[place] = largest
    return adjusted

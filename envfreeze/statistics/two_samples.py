"""Two samples of one metric: do they differ, are they equivalent, and how many runs would tell."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Sequence
from typing import Any

from envfreeze.statistics import RESAMPLES, SEED, scipy_stats

MAX_NEEDED = 100_000


def permutation_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided permutation test of the difference of means; exact where there are at most 9,999 orders.

    Under the hypothesis that both come from one distribution its rate of false alarms is α at most, whatever
    that distribution is (Phipson and Smyth, 2010, doi:10.2202/1544-6115.1585, for the random permutations).
    """
    if min(*first, *second) == max(*first, *second):
        return 1.0
    import numpy

    def difference(x: Any, y: Any, axis: int) -> Any:
        return numpy.mean(x, axis=axis) - numpy.mean(y, axis=axis)

    found = scipy_stats().permutation_test(
        (numpy.asarray(first), numpy.asarray(second)),
        difference,
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=numpy.random.default_rng(SEED),
    )
    return float(found.pvalue)


def ranks_p(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Two-sided Mann–Whitney p, and Cliff's δ = P(second > first) − P(second < first)."""
    found = scipy_stats().mannwhitneyu(second, first, alternative="two-sided")
    delta = 2 * float(found.statistic) / (len(first) * len(second)) - 1
    p = float(found.pvalue)
    return (1.0 if math.isnan(p) else p), delta


def difference_interval(
    first: Sequence[float], second: Sequence[float], confidence: float = 0.95
) -> tuple[float, float] | None:
    """Bootstrap interval of mean(second) − mean(first); None without any spread."""
    if min(first) == max(first) and min(second) == max(second):
        return None
    import numpy

    def difference(x: Any, y: Any, axis: int) -> Any:
        return numpy.mean(y, axis=axis) - numpy.mean(x, axis=axis)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # BCa where one sample is constant
        found = scipy_stats().bootstrap(
            (numpy.asarray(first), numpy.asarray(second)),
            difference,
            vectorized=True,
            n_resamples=RESAMPLES,
            confidence_level=confidence,
            method="BCa",
            rng=numpy.random.default_rng(SEED),
        )
    low, high = (float(bound) for bound in found.confidence_interval)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def pooled_sd(first: Sequence[float], second: Sequence[float]) -> float:
    """Standard deviation within the two samples."""
    degrees = len(first) + len(second) - 2
    squares = sum((len(sample) - 1) * statistics.variance(sample) for sample in (first, second))
    return math.sqrt(squares / degrees)


def hedges_g(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Standardised difference of means with Hedges' correction (Journal of Educational Statistics 6, 1981).

    None without any spread.
    """
    spread = pooled_sd(first, second)
    if spread == 0:
        return None
    degrees = len(first) + len(second) - 2
    return (statistics.fmean(second) - statistics.fmean(first)) / spread * (1 - 3 / (4 * degrees - 1))


def equivalence_p(first: Sequence[float], second: Sequence[float], margin: float) -> float:
    """Two one-sided Welch t-tests: small when the means differ by less than ``margin``
    (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987, 657–680)."""
    if min(first) == max(first) and min(second) == max(second):
        return 0.0 if abs(first[0] - second[0]) < margin else 1.0
    from statsmodels.stats.weightstats import ttost_ind

    p, _, _ = ttost_ind(list(second), list(first), -margin, margin, usevar="unequal")
    return float(p)


def power(effect: float, first: int, second: int, alpha: float) -> float:
    """Of a two-sided t-test to see a standardised difference ``effect`` (statsmodels' ``TTestIndPower``)."""
    from statsmodels.stats.power import TTestIndPower

    if effect == 0:
        return alpha
    found = float(TTestIndPower().power(abs(effect), first, alpha, ratio=second / first))
    return 1.0 if math.isnan(found) else found  # statsmodels gives NaN far out in the tail


def needed(effect: float, alpha: float, wanted: float = 0.8) -> int | None:
    """Runs on each side for the power that is wanted; None when that is more than 100,000."""
    from statsmodels.stats.power import TTestIndPower

    if abs(effect) < 0.01:
        return None
    if power(effect, 2, 2, alpha) >= wanted:
        return 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            count = float(TTestIndPower().solve_power(abs(effect), alpha=alpha, power=wanted))
    except (ValueError, TypeError):
        return None
    return math.ceil(count) if 2 <= count <= MAX_NEEDED else None

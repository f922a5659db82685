"""The statistics against known answers, by simulation, and against the textbook."""

from __future__ import annotations

import math

import numpy
import pytest
import scipy.stats

from envfreeze.records.verdict import Verdict
from envfreeze.statistics import ALPHA
from envfreeze.statistics.compare import compare
from envfreeze.statistics.samples import holm, prediction_interval, prediction_p, quantile, summarise
from envfreeze.statistics.two_samples import equivalence_p, hedges_g, needed, permutation_p, power, ranks_p


def draws(seed: int, count: int, mean: float = 0.0) -> list[float]:
    return [float(value) for value in numpy.random.default_rng(seed).normal(mean, 1, count)]


def test_a_summary_has_the_textbook_values_and_is_the_same_each_time() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 10.0]
    found = summarise(values)
    assert (found.count, found.mean, found.median, found.minimum, found.maximum) == (5, 4.0, 3.0, 1.0, 10.0)
    assert found.sd == pytest.approx(math.sqrt(12.5))
    assert found.interval is not None and 1 < found.interval[0] < 4 < found.interval[1] < 10
    assert summarise(values) == found
    assert summarise([2.0, 2.0]).interval == (2.0, 2.0)
    assert summarise([2.0]).interval is None and summarise([2.0]).sd is None


def test_quantiles_count_ties_by_half() -> None:
    assert [quantile(value, [1.0, 2.0, 2.0, 3.0]) for value in (0.0, 2.0, 9.0)] == [0.0, 0.5, 1.0]


def test_the_prediction_interval_and_its_p_agree() -> None:
    values = draws(1, 16)
    low, high = prediction_interval(values, 0.05)
    assert prediction_p(low, values) == pytest.approx(0.05)
    assert prediction_p(high, values) == pytest.approx(0.05)
    assert prediction_p(1.0, [1.0, 1.0, 1.0]) == 1.0
    assert prediction_p(1.0 + 1e-12, [1.0, 1.0, 1.0]) == 0.0
    assert prediction_p(1.0, [1.0]) is None


def test_one_more_draw_of_the_same_raises_a_false_alarm_at_the_stated_rate() -> None:
    drawn = numpy.random.default_rng(5).normal(0, 1, (2000, 17))
    alarms = sum((prediction_p(float(row[0]), row[1:].tolist()) or 0) <= ALPHA for row in drawn)
    interval = scipy.stats.binomtest(alarms, 2000).proportion_ci(0.999)
    assert interval.low <= ALPHA <= interval.high, alarms / 2000


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_a_permutation_test_that_can_be_counted_by_hand() -> None:
    # Of the 20 ways to cut six values in two halves, 2 are as extreme as 1, 2, 3 against 4, 5, 6.
    assert permutation_p([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]) == pytest.approx(0.1)
    assert permutation_p([1.0, 1.0], [1.0, 1.0]) == 1.0


def test_effect_sizes() -> None:
    assert ranks_p([1.0, 2.0], [3.0, 4.0])[1] == 1.0
    assert ranks_p([1.0, 2.0], [1.0, 2.0])[1] == 0.0
    assert ranks_p([1.0, 1.0], [1.0, 1.0])[0] == 1.0
    # d = 3/√2.5 with Hedges' 1 − 3/(4·8 − 1)
    five = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert hedges_g(five, [value + 3 for value in five]) == pytest.approx(3 / math.sqrt(2.5) * (1 - 3 / 31))
    assert hedges_g([1.0, 1.0], [2.0, 2.0]) is None


def test_power_and_runs_needed_are_the_textbooks() -> None:
    # Cohen (1988), table 2.4.1: d = 0.8, α = 0.05 two-sided, power 0.80 needs 26 in each group.
    assert needed(0.8, 0.05) == 26
    assert power(0.8, 26, 26, 0.05) == pytest.approx(0.8, abs=0.01)
    assert needed(50.0, 0.05) == 2
    assert needed(0.001, 0.05) is None


def test_false_alarms_over_several_metrics_stay_below_alpha() -> None:
    alarms, trials = 0, 400
    for trial in range(trials):
        drawn = numpy.random.default_rng(trial).lognormal(0, 0.5, (3, 2, 8))
        p = [scipy.stats.mannwhitneyu(*metric, method="exact").pvalue for metric in drawn]
        alarms += min(holm(p)) <= ALPHA
    assert alarms <= scipy.stats.binom.ppf(0.9999, trials, ALPHA), alarms


def test_two_samples_of_one_experiment_are_rarely_told_apart() -> None:
    """The permutation test itself: its p is uniform under the hypothesis, of skewed values too."""
    trials = 150
    found = [
        permutation_p(*numpy.random.default_rng(trial).lognormal(0, 0.7, (2, 6)).tolist())
        for trial in range(trials)
    ]
    assert sum(p <= ALPHA for p in found) <= scipy.stats.binom.ppf(0.9999, trials, ALPHA)
    assert 0.4 < numpy.mean(found) < 0.6


def test_equivalence_is_shown_and_not_assumed() -> None:
    near, far = draws(1, 60), draws(2, 60, 0.9)
    assert equivalence_p(near, draws(3, 60), 1.0) < 0.01
    assert equivalence_p(near, far, 0.5) > 0.5
    assert equivalence_p(near[:3], draws(3, 3), 0.5) > 0.05, "three runs show nothing"
    assert equivalence_p([1.0, 1.0], [1.0, 1.0], 0.1) == 0.0


SAME = {"acc": draws(1, 20), "loss": draws(2, 20)}
AGAIN = {"acc": draws(3, 20), "loss": draws(4, 20)}
MORE_AGAIN = {name: draws(seed, 24) for seed, name in enumerate(("acc", "loss"), 7)}
MORE = {name: draws(seed, 24) for seed, name in enumerate(("acc", "loss"))}


@pytest.mark.parametrize(
    ("first", "second", "margin", "verdict", "words"),
    [
        (MORE, MORE_AGAIN, None, Verdict.INDISTINGUISHABLE, "Not told apart"),
        (SAME, AGAIN | {"acc": draws(3, 20, 2.0)}, None, Verdict.DIFFERENT, "in 1 of 2 metrics: acc"),
        (SAME, AGAIN, 0.01, Verdict.UNCOMPARED, "Undecided in 2"),
        (SAME, AGAIN, 2.0, Verdict.INDISTINGUISHABLE, "within the margin of 2"),
        ({"acc": draws(1, 4)}, {"acc": draws(2, 4)}, None, Verdict.UNCOMPARED, "too few to tell"),
        ({"acc": [1.0, 2.0]}, {"f1": [1.0, 2.0]}, None, Verdict.UNCOMPARED, "no metric that both"),
        (SAME, {"acc": draws(3, 20)}, None, Verdict.UNCOMPARED, "only the first sweep has it"),
        ({"acc": [0.5] * 20}, {"acc": [0.5] * 20}, None, Verdict.INDISTINGUISHABLE, "1 metric"),
        ({"acc": [0.5] * 20}, {"acc": [0.6] * 20}, None, Verdict.DIFFERENT, "0.5 → 0.6"),
    ],
)  # fmt: skip
def test_the_verdict_on_two_sweeps(
    first: dict[str, list[float]],
    second: dict[str, list[float]],
    margin: float | None,
    verdict: Verdict,
    words: str,
) -> None:
    found = compare(first, second, margin=margin)
    assert found.verdict is verdict, found.sentence
    assert words in found.sentence


def test_a_difference_that_does_not_matter_is_equivalent() -> None:
    first, second = draws(1, 400), draws(2, 400, 0.5)
    (metric,) = compare({"a": first}, {"a": second}, margin=1.0).metrics
    assert metric.p_adjusted < 0.05 and metric.conclusion == "equivalent"
    assert "smaller than the margin" in metric.reason

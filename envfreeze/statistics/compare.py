"""Two sweeps, metric by metric. The rule for the verdict stands in ``docs/verdicts.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from envfreeze.records.sweep import MetricComparison, SweepComparison
from envfreeze.records.verdict import Verdict
from envfreeze.statistics import ALPHA
from envfreeze.statistics.samples import holm, summarise
from envfreeze.statistics.two_samples import (
    difference_interval,
    equivalence_p,
    hedges_g,
    needed,
    permutation_p,
    pooled_sd,
    power,
    ranks_p,
)

EFFECT = 1.0
"""Without a margin: the standardised difference that the runs must be able to show before "not told apart" is
said. One standard deviation between seeds is "large" by Cohen (1988) and more."""
POWER = 0.8

Samples = Mapping[str, Sequence[float]]


def compare(
    first: Samples, second: Samples, *, margin: float | None = None, alpha: float = ALPHA
) -> SweepComparison:
    """Every metric that both have, corrected for their number.

    Args:
        first, second: values of each metric over the runs, at least two each.
        margin: the difference of means that does not matter, in the metrics' unit; then equivalence is
            tested.
        alpha: the rate of false alarms over all metrics together.

    Raises:
        EnvironmentFailure: SciPy or statsmodels is not installed.
    """
    usable, left_out = _usable(first, second)
    raw = [_one(name, first[name], second[name], margin, alpha, len(usable)) for name in usable]
    adjusted = holm([item.p for item in raw])
    equivalent = holm([item.p_equivalent for item in raw if item.p_equivalent is not None])
    found = []
    for place, item in enumerate(raw):
        item = msgspec.structs.replace(
            item, p_adjusted=adjusted[place], p_equivalent=equivalent[place] if equivalent else None
        )
        found.append(_concluded(item, margin, alpha))
    verdict, sentence = _verdict(found, margin, left_out)
    return SweepComparison(
        verdict=verdict,
        sentence=sentence,
        alpha=alpha,
        margin=margin,
        metrics=tuple(sorted(found, key=lambda item: (item.p_adjusted, item.p, item.metric))),
        left_out=left_out,
    )


def _usable(first: Samples, second: Samples) -> tuple[list[str], tuple[str, ...]]:
    usable, left_out = [], []
    for name in sorted({*first, *second}):
        if name not in first or name not in second:
            left_out.append(f"{name}: only the {'first' if name in first else 'second'} sweep has it")
        elif min(len(first[name]), len(second[name])) < 2:
            left_out.append(f"{name}: one of the sweeps has fewer than two values")
        else:
            usable.append(name)
    return usable, tuple(left_out)


def _one(
    name: str, first: Sequence[float], second: Sequence[float], margin: float | None, alpha: float, count: int
) -> MetricComparison:
    p_ranks, delta = ranks_p(first, second)
    one, two = summarise(first), summarise(second)
    spread = pooled_sd(first, second)
    effect = EFFECT if margin is None else (margin / spread if spread else float("inf"))
    level = alpha / count  # Bonferroni: never more hopeful than Holm
    return MetricComparison(
        metric=name,
        first=one,
        second=two,
        difference=two.mean - one.mean,
        interval=difference_interval(first, second),
        p=permutation_p(first, second),
        p_adjusted=1.0,
        p_ranks=p_ranks,
        hedges_g=hedges_g(first, second),
        cliffs_delta=delta,
        p_equivalent=None if margin is None else equivalence_p(first, second, margin),
        power=power(effect, len(first), len(second), level) if effect < 100 else 1.0,
        needed=needed(effect, level) if effect < 100 else 2,
        conclusion="undecided",
    )


def _concluded(item: MetricComparison, margin: float | None, alpha: float) -> MetricComparison:
    """``differ`` needs the difference shown and not shown to be within the margin."""
    within = item.p_equivalent is not None and item.p_equivalent <= alpha
    change = f"{item.first.mean:.6g} → {item.second.mean:.6g}"
    if within:
        small = " (a difference, and smaller than the margin)" if item.p_adjusted <= alpha else ""
        reason = f"{change}: the means differ by less than {margin:g}{small}, p = {item.p_equivalent:.2g}"
        return msgspec.structs.replace(item, conclusion="equivalent", reason=reason)
    if item.p_adjusted <= alpha:
        effect = "" if item.hedges_g is None else f", Hedges g = {item.hedges_g:+.2f}"
        reason = f"{change}: told apart, p = {item.p_adjusted:.2g}{effect}"
        return msgspec.structs.replace(item, conclusion="differ", reason=reason)
    runs = f"{item.needed} runs on each side" if item.needed else "more runs than is practical"
    size = "one standard deviation" if margin is None else f"{margin:g}"
    reason = (
        f"{change}: not told apart, p = {item.p_adjusted:.2g}; power to see {size}: {item.power:.2f}, "
        f"{runs} would have {POWER}"
    )
    return msgspec.structs.replace(item, reason=reason)


def _verdict(
    found: list[MetricComparison], margin: float | None, left_out: tuple[str, ...]
) -> tuple[Verdict, str]:
    if not found:
        return Verdict.UNCOMPARED, "Nothing was compared: there is no metric that both sweeps have."
    many = f"{len(found)} metric{'s' if len(found) > 1 else ''}"
    differing = [item for item in found if item.conclusion == "differ"]
    if differing:
        worst = min(differing, key=lambda item: item.p_adjusted)
        return Verdict.DIFFERENT, f"Different in {len(differing)} of {many}: {worst.metric}: {worst.reason}."
    if left_out:
        return Verdict.UNCOMPARED, f"Not verified: {left_out[0]}."
    undecided = [item for item in found if item.conclusion == "undecided"]
    if margin is not None:
        if undecided:
            first = undecided[0]
            return (
                Verdict.UNCOMPARED,
                f"Undecided in {len(undecided)} of {many}: {first.metric}: {first.reason}.",
            )
        return Verdict.INDISTINGUISHABLE, f"Equivalent in {many}: all within the margin of {margin:g}."
    weak = [item for item in undecided if (item.power or 0) < POWER]
    if weak:
        return Verdict.UNCOMPARED, (
            f"Undecided: not told apart in {many}, and the runs are too few to tell: "
            f"{weak[0].metric}: {weak[0].reason}."
        )
    return Verdict.INDISTINGUISHABLE, f"Not told apart in {many}, with a power of {POWER} or more."

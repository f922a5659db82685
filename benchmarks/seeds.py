"""False alarms and power of the tests over seeds, by simulation: ``python benchmarks/seeds.py [trials]``.

Two identical experiments are drawn again and again (normal and skewed, 16 seeds each) and compared by
the functions that ``envfreeze sweep`` and ``compare-sweeps`` use. The rate of false alarms must not exceed α;
the interval is Clopper and Pearson's at 95 %.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy
import scipy.stats

from envfreeze.statistics import ALPHA
from envfreeze.statistics.samples import holm, prediction_p
from envfreeze.statistics.two_samples import equivalence_p, permutation_p, power

SEEDS = 16
Draw = Callable[[numpy.random.Generator, tuple[int, ...]], numpy.ndarray]
SHAPES: dict[str, Draw] = {
    "normal": lambda source, shape: source.normal(0, 1, shape),
    "lognormal (skewed)": lambda source, shape: source.lognormal(0, 0.7, shape),
    "accuracy of 360 images": lambda source, shape: source.binomial(360, 0.95, shape) / 360,
}


def told_apart(one: numpy.ndarray, two: numpy.ndarray) -> bool:
    """Whether any of the metrics (first axis) is told apart, by Holm's correction."""
    return min(holm([permutation_p(a.tolist(), b.tolist()) for a, b in zip(one, two, strict=True)])) <= ALPHA


def outside(one: numpy.ndarray, two: numpy.ndarray) -> bool:
    """Whether one more run, the first of ``two``, is called outside of the sweep ``one`` in any metric."""
    found = [prediction_p(float(b[0]), a.tolist()) or 0.0 for a, b in zip(one, two, strict=True)]
    return min(holm(found)) <= ALPHA


def rate(trials: int, name: str, alarm: Callable[[numpy.random.Generator], bool]) -> None:
    """Print how often there is an alarm."""
    started = time.monotonic()
    count = sum(alarm(numpy.random.default_rng(trial)) for trial in range(trials))
    interval = scipy.stats.binomtest(count, trials).proportion_ci(0.95)
    seconds = time.monotonic() - started
    print(
        f"| {name} | {count / trials:.4f} | {interval.low:.4f} to {interval.high:.4f} | {seconds:.0f} s |",
        flush=True,
    )


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{trials} trials, {SEEDS} seeds, α = {ALPHA}\n")
    print("| identical experiments | false alarms | 95 % | time |\n| --- | --- | --- | --- |")
    for name, draw in SHAPES.items():
        metrics = 3 if name == "normal" else 1
        shape = (2, metrics, SEEDS)
        name = f"{name}, {metrics} metric{'s' if metrics > 1 else ''}"
        rate(trials, f"two sweeps, {name}", lambda source: told_apart(*draw(source, shape)))  # noqa: B023
        rate(trials, f"sweep and one replay, {name}", lambda source: outside(*draw(source, shape)))  # noqa: B023

    def edge(source: numpy.random.Generator) -> bool:
        one, two = source.normal(0, 1, (2, SEEDS))
        return equivalence_p(one.tolist(), (two + 1.5).tolist(), 1.5) <= ALPHA

    rate(trials, "means exactly the margin apart, called equivalent", edge)
    print("\n| real difference | told apart | 95 % | time |\n| --- | --- | --- | --- |")
    for effect in (0.5, 1.0, 1.5):

        def seen(source: numpy.random.Generator, effect: float = effect) -> bool:
            one, two = source.normal(0, 1, (2, 1, SEEDS))
            return told_apart(one, two + effect)

        textbook = power(effect, SEEDS, SEEDS, ALPHA)
        rate(trials, f"{effect} standard deviations (t-test by the textbook: {textbook:.4f})", seen)


if __name__ == "__main__":
    main()

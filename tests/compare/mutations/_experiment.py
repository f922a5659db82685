"""One small experiment, what can be done to it that harms, and how a format is made known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Experiment(NamedTuple):
    weights: np.ndarray
    counts: np.ndarray
    labels: tuple[str, ...]
    metric: float
    rows: tuple[tuple[int, float], ...]
    name: str
    extra: bool = True


BASE = Experiment(
    weights=(np.arange(24, dtype="f4").reshape(4, 6) / 7 + 1),
    counts=np.array([3, 1, 2]),
    labels=("cat", "dog", "bird"),
    metric=0.9312,
    rows=tuple((step, round(0.9 - step / 16, 4)) for step in range(8)),
    name="forest",
)


def weights(change: Callable[[np.ndarray], Any]) -> Experiment:
    weights = BASE.weights.copy()
    changed = change(weights)
    return BASE._replace(weights=weights if changed is None else changed)


def _put(value: float) -> Callable[[np.ndarray], None]:
    def change(weights: np.ndarray) -> None:
        weights[2, 3] = value

    return change


def _flip(weights: np.ndarray) -> None:
    weights.view("u4")[1, 2] ^= 1 << 21


ROWS = BASE.rows
ARRAY = {
    "a bit in an array": weights(_flip),
    "NaN for a weight": weights(_put(np.nan)),
    "infinity for a weight": weights(_put(np.inf)),
    "a weight with another sign": weights(lambda w: _put(-w[2, 3])(w)),
    "a weight of zero": weights(_put(0)),
    "weights swapped": weights(lambda w: w[:, ::-1].copy()),
    "weights transposed": weights(lambda w: w.T.copy()),
    "weights of another type": weights(lambda w: w.astype("f8")),
    "weights of another shape": weights(lambda w: w.reshape(6, 4)),
    "a row of weights lost": weights(lambda w: w[:-1].copy()),
    "a count changed": BASE._replace(counts=np.array([3, 1, 3])),
}
TEXT = {
    "labels swapped": BASE._replace(labels=("dog", "cat", "bird")),
    "a label lost": BASE._replace(labels=("cat", "dog")),
    "a label misspelt": BASE._replace(labels=("cat", "dog", "burd")),
    "another name": BASE._replace(name="forest2"),
}
METRIC = {
    "the metric's last digit": BASE._replace(metric=0.9313),
    "the metric's sign": BASE._replace(metric=-0.9312),
    "the metric is NaN": BASE._replace(metric=float("nan")),
    "the metric is 100 times as large": BASE._replace(metric=93.12),
}
TABLE = {
    "a row lost": BASE._replace(rows=ROWS[:-1]),
    "the first row lost": BASE._replace(rows=ROWS[1:]),
    "a row twice": BASE._replace(rows=(*ROWS, ROWS[-1])),
    "two rows swapped": BASE._replace(rows=(*ROWS[:2], ROWS[3], ROWS[2], *ROWS[4:])),
    "a loss changed": BASE._replace(rows=(*ROWS[:4], (4, 0.6501), *ROWS[5:])),
    "a step changed": BASE._replace(rows=(*ROWS[:7], (8, ROWS[7][1]))),
    "a loss is NaN": BASE._replace(rows=(*ROWS[:4], (4, float("nan")), *ROWS[5:])),
}
LOST = {"a part lost": BASE._replace(extra=False)}
ALL = {**ARRAY, **TEXT, **METRIC, **TABLE, **LOST}

Build = Callable[..., bytes]


class Format(NamedTuple):
    suffix: str
    build: Build
    harmful: dict[str, Experiment]
    benign: dict[str, Callable[[], tuple[bytes, bytes]]]


FORMATS: dict[str, Format] = {}


def known(
    name: str, suffix: str, build: Build, *groups: dict[str, Experiment], benign: dict[str, Any]
) -> None:
    """Benign changes are keyword arguments of the builder, or pairs of contents (a callable)."""

    def pair(change: Any) -> Callable[[], tuple[bytes, bytes]]:
        return change if callable(change) else lambda: (build(BASE), build(BASE, **change))

    harmful = {key: value for group in groups for key, value in group.items()}
    FORMATS[name] = Format(suffix, build, harmful, {key: pair(change) for key, change in benign.items()})


DATES = [
    "2023-01-01T00:00:00",
    "2024-02-29T12:30:01",
    "2025-12-31T23:59:59",
    "2031-07-04T08:09:10",
    "2001-09-09T01:46:40",
    "2026-03-29T02:30:00",
    "2028-02-29T00:00:00",
    "2030-10-10T10:10:10",
    "2038-01-19T03:14:07",
    "2020-06-15T18:45:12",
    "2022-11-30T21:05:59",
]
DATED = {f"date {date}": {"date": date} for date in DATES[1:]}
REORDERED = {"order of keys": {"reverse": True}}


def values(
    found: Experiment, *, date: str = DATES[0], elapsed: float = 1.5, reverse: bool = False
) -> dict[str, Any]:
    """For what holds trees of plain values."""
    tree = {
        "name": found.name,
        "labels": list(found.labels),
        "accuracy": found.metric,
        "weights": found.weights.tolist(),
        "counts": found.counts.tolist(),
        "history": [{"step": step, "loss": loss} for step, loss in found.rows],
        "timestamp": date,
        "elapsed": elapsed,
        **({"extra": 1} if found.extra else {}),
    }
    return dict(reversed(tree.items())) if reverse else tree


TREE = (ARRAY, TEXT, METRIC, TABLE, LOST)
NOT_TYPES = {key: value for key, value in ARRAY.items() if key != "weights of another type"}

"""Metrics: numbers that a run reports about itself, found in its outputs or named by the user.

To read another kind of output, add a file with ``READER = Reader(…)``; the registry finds it. Contents come
from strangers: a reader bounds what it reads, runs nothing, and raises ``NotFound`` for what it cannot read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from envfreeze.compare import Sample
from envfreeze.metrics._selector import Step
from envfreeze.records.base import Record

MAX_SIZE = 64 << 20
"""Bytes of a file that a reader takes into memory."""
MAX_METRICS = 200
"""Metrics taken from one output without being named."""


class NotFound(Exception):
    """There is no such number; the sentence says what was found instead."""


class Reader(Record):
    """One kind of output that holds metrics."""

    name: str
    priority: int
    """The reader with the highest priority that recognises an output reads it."""
    recognises: Callable[[Sample], bool]
    found: Callable[[Path], Iterator[tuple[str, float]]]
    """Selector and value of what looks like a result of the run; may raise ``NotFound``."""
    look_up: Callable[[Path, tuple[Step, ...]], float]
    """The number that the steps lead to; raises ``NotFound``."""

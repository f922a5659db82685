"""The parsed form of a claim."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from envfreeze.metrics._selector import Step
from envfreeze.records.base import Record


class Number(Record):
    value: Decimal


class Reference(Record):
    """A number in an output."""

    path: str
    steps: tuple[Step, ...]


class Calculation(Record):
    """An operation or function on numbers."""

    operator: Literal["+", "-", "*", "/", "abs", "min", "max"]
    operands: tuple[Numeric, ...]


class Comparing(Record):
    """``left operator right``, where ``margin`` is that of ``by`` and ``within``."""

    operator: Literal[">", ">=", "<", "<=", "==", "!=", "~="]
    left: Numeric
    right: Numeric
    margin: Numeric | None = None


class Range(Record):
    """``value in [low, high]``; a round bracket leaves its end out."""

    value: Numeric
    low: Numeric
    high: Numeric
    with_low: bool
    with_high: bool


class Logic(Record):
    """``and``, ``or``, ``not``."""

    operator: Literal["and", "or", "not"]
    operands: tuple[Truth, ...]


Numeric = Number | Reference | Calculation
Truth = Comparing | Range | Logic

"""Whether a claim holds for one set of outputs: yes, no, or not to be decided."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal

from envfreeze.claims._expression import (
    Calculation,
    Comparing,
    Logic,
    Number,
    Numeric,
    Range,
    Reference,
    Truth,
)
from envfreeze.compare.sides import Side
from envfreeze.metrics import NotFound
from envfreeze.metrics._find import Named, look_up
from envfreeze.metrics._selector import text_of
from envfreeze.records.base import Record

_EXACT = decimal.Context(
    prec=50, Emax=9999, Emin=-9999, traps=[decimal.InvalidOperation, decimal.DivisionByZero]
)


class Answer(Record):
    """``holds`` is None when it cannot be decided; ``reason`` gives the values, or what is missing."""

    holds: bool | None
    reason: str


class _NoNumber(Exception):
    """A value is NaN or infinite: no statement about it holds."""


def evaluate(claim: Truth, side: Side) -> Answer:
    """Decide the claim; never raises for what the outputs hold."""
    values: dict[str, str] = {}
    missing: list[str] = []
    try:
        holds = _truth(claim, _Looking(side, values, missing))
    except _NoNumber as error:
        holds = False
        values[str(error)] = ""
    words = [f"{name} = {value}" if value else name for name, value in values.items()]
    if holds is None:
        words = missing + words
    return Answer(holds=holds, reason="; ".join(words) or "it names no output")


class _Looking:
    """The outputs of one side, with what was found in them."""

    def __init__(self, side: Side, values: dict[str, str], missing: list[str]) -> None:
        self.side, self.values, self.missing = side, values, missing

    def value(self, reference: Reference) -> Decimal:
        selector = text_of(reference.steps)
        name = f"{reference.path}:{selector}"
        try:
            value = look_up(self.side, Named(path=reference.path, selector=selector, steps=reference.steps))
        except NotFound as error:
            raise NotFound(f"{name}: {error}") from None
        if not math.isfinite(value):
            raise _NoNumber(f"{name} is {value}, no finite number")
        self.values[name] = f"{value:g}" if float(f"{value:g}") == value else repr(value)
        return Decimal(repr(value))


def _truth(claim: Truth, looking: _Looking) -> bool | None:
    if isinstance(claim, Logic):
        return _logic(claim, looking)
    try:
        if isinstance(claim, Range):
            value, low, high = (_number(item, looking) for item in (claim.value, claim.low, claim.high))
            above = value >= low if claim.with_low else value > low
            return above and (value <= high if claim.with_high else value < high)
        return _comparing(claim, looking)
    except NotFound as error:
        looking.missing.append(str(error))
    except decimal.DecimalException:
        looking.missing.append("a division by zero or an overflow")
    return None


def _logic(claim: Logic, looking: _Looking) -> bool | None:
    """Kleene's strong logic of three values: what is unknown decides nothing, and spoils nothing decided."""
    found = [_truth(operand, looking) for operand in claim.operands]
    if claim.operator == "not":
        return None if found[0] is None else not found[0]
    decisive = claim.operator == "or"
    if decisive in found:
        return decisive
    return None if None in found else not decisive


def _comparing(claim: Comparing, looking: _Looking) -> bool:
    left, right = _number(claim.left, looking), _number(claim.right, looking)
    if claim.margin is not None:
        margin = _number(claim.margin, looking)
        apart = _EXACT.subtract(left, right)
        if claim.operator == "~=":
            return apart.copy_abs() <= margin
        ahead = apart if claim.operator in (">", ">=") else apart.copy_negate()
        return ahead >= margin and (ahead > 0 or claim.operator in (">=", "<="))
    answers = {
        ">": left > right,
        ">=": left >= right,
        "<": left < right,
        "<=": left <= right,
        "==": left == right,
        "!=": left != right,
    }
    return answers[claim.operator]


def _number(item: Numeric, looking: _Looking) -> Decimal:
    if isinstance(item, Number):
        return item.value
    if isinstance(item, Reference):
        return looking.value(item)
    return _calculate(item, [_number(operand, looking) for operand in item.operands])


def _calculate(item: Calculation, values: list[Decimal]) -> Decimal:
    match item.operator:
        case "+":
            return _EXACT.add(*values)
        case "-":
            return _EXACT.subtract(*values)
        case "*":
            return _EXACT.multiply(*values)
        case "/":
            return _EXACT.divide(*values)
        case "abs":
            return values[0].copy_abs()
        case "min":
            return min(values)
    return max(values)

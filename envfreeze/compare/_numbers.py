"""Numbers as they are written in texts: compared exactly first, then within a tolerance.

Default tolerances follow the table of ``torch.testing.assert_close`` (https://docs.pytorch.org/docs/stable/testing.html),
two numbers being close when ``|replay − original| ≤ atol + rtol · |original|``. One entry is stricter: for
float64 torch's ``atol`` is 1e-7, with which learning rates of 1e-8 and 5e-8 would be close; here it is 1e-12.
"""

from __future__ import annotations

import decimal
import enum
import re
import struct
from decimal import Decimal
from typing import NamedTuple

from envfreeze.compare import Options


class Tolerance(NamedTuple):
    """Relative and absolute tolerance."""

    rtol: float
    atol: float

    def __str__(self) -> str:
        return f"rtol {self.rtol:g}, atol {self.atol:g}"


EXACT = Tolerance(0.0, 0.0)
FLOAT64 = Tolerance(1e-7, 1e-12)
FLOAT32 = Tolerance(1.3e-6, 1e-5)
FLOAT16 = Tolerance(1e-3, 1e-5)


def tolerance(options: Options, default: Tolerance) -> Tolerance:
    """What the user set, or else the default; when only one of the two is set, the other is 0."""
    if options.rtol is None and options.atol is None:
        return default
    return Tolerance(options.rtol or 0.0, options.atol or 0.0)


class Agreement(enum.Enum):
    """How two written numbers agree."""

    EQUAL = enum.auto()
    """The same value, though perhaps written with other digits (``0.1`` and ``0.10``)."""
    CLOSE = enum.auto()
    DIFFERENT = enum.auto()


NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
"""A decimal number; only ASCII digits, as in JSON (RFC 8259) and in what ``repr`` prints."""
_NUMBER = re.compile(NUMBER)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_NOT_FINITE = {"nan": "nan", "inf": "inf", "infinity": "inf"}
_CONTEXT = decimal.Context(
    prec=60, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[], rounding=decimal.ROUND_HALF_EVEN
)


def is_number(text: str) -> bool:
    """True for a decimal number, ``nan`` or ``inf``; not for ``007``, which is a name made of digits."""
    if _not_finite(text) is not None:
        return True
    return _NUMBER.fullmatch(text) is not None and _LEADING_ZERO.match(text) is None


def agreement(
    original: str, replay: str, options: Options, default: Tolerance = FLOAT64
) -> tuple[Agreement, float]:
    """How two numbers for which ``is_number`` holds agree, and their relative difference.

    Values are decimal and exact, whatever their size. Two integers agree only when they are equal, unless the
    user sets a tolerance. ``-0.0`` and ``0.0`` are close, not equal: the bit differs. NaN equals NaN.
    """
    if original == replay:
        return Agreement.EQUAL, 0.0
    special = _not_finite(original), _not_finite(replay)
    if special != (None, None):
        same = special[0] == special[1]
        return (Agreement.EQUAL, 0.0) if same else (Agreement.DIFFERENT, float("inf"))
    try:
        first, second = Decimal(original), Decimal(replay)
    except decimal.InvalidOperation:
        return Agreement.DIFFERENT, float("inf")
    if first == second:
        same_sign = bool(first) or first.is_signed() == second.is_signed()
        return (Agreement.EQUAL if same_sign else Agreement.CLOSE), 0.0
    integers = _INTEGER.fullmatch(original) is not None and _INTEGER.fullmatch(replay) is not None
    allowed = tolerance(options, EXACT if integers else default)
    return _within(first, second, allowed)


def steps_apart(original: str, replay: str, *, single: bool = False) -> str:
    """How far apart: in the last digit shown or, where all digits are shown, in ULP of a float64."""
    digits = max(len(_digits(text)) for text in (original, replay))
    try:
        first, second = Decimal(original), Decimal(replay)
        if single or digits >= _ALL_DIGITS:
            apart = abs(_position(float(first), single) - _position(float(second), single))
            return f"{apart} ULP" if apart < 1 << 20 else ""
        exponent = min(first.as_tuple().exponent, second.as_tuple().exponent, key=int)
        units = _CONTEXT.subtract(second, first).copy_abs().scaleb(-int(exponent))
    except (decimal.InvalidOperation, ValueError, OverflowError):
        return ""
    return f"{int(units)} in the last digit shown" if units < 1000 else ""


_ALL_DIGITS = 15
"""Significant digits from which a written number stands for one float64 and not for a rounded one."""


def _digits(text: str) -> str:
    return re.sub(r"[eE].*|\D", "", text).lstrip("0")


def _position(value: float, single: bool) -> int:
    """Of a float64, or float32, on the line of all of them; both zeros are one point."""
    integer, real, bits = ("<i", "<f", 31) if single else ("<q", "<d", 63)
    raw: int = struct.unpack(integer, struct.pack(real, value))[0]
    return raw if raw >= 0 else -(raw + (1 << bits))


def _within(first: Decimal, second: Decimal, allowed: Tolerance) -> tuple[Agreement, float]:
    size = first.copy_abs()
    apart = _CONTEXT.subtract(second, first).copy_abs()
    bound = _CONTEXT.add(Decimal(allowed.atol), _CONTEXT.multiply(Decimal(allowed.rtol), size))
    relative = float(_CONTEXT.divide(apart, size)) if size else float("inf")
    return (Agreement.CLOSE if apart <= bound else Agreement.DIFFERENT), relative


def _not_finite(text: str) -> str | None:
    sign = "-" if text.startswith("-") else ""
    name = _NOT_FINITE.get(text.lstrip("+-").lower()) if text[1:2] not in ("+", "-") else None
    if name is None:
        return None
    return name if name == "nan" else sign + name

"""Floating-point numbers by their bits: how many representable numbers apart two of them are.

A unit in the last place (ULP) is counted as the number of steps between neighbours on the line of all
values of
the type, both zeros being one point (Goldberg 1991, "What every computer scientist should know about
floating-point arithmetic"). numpy knows no bfloat16 and no 8-bit floats; they are decoded here from
their bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from envfreeze.compare._numbers import FLOAT16, FLOAT32, FLOAT64, Tolerance

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

BFLOAT16 = Tolerance(1.6e-2, 1e-5)
"""From the table of ``torch.testing.assert_close``."""
_DEFAULTS = {2: FLOAT16, 4: FLOAT32, 8: FLOAT64, 16: FLOAT64}
"""By the size of one real number in bytes."""


class Encoding(NamedTuple):
    """A float that numpy does not know, kept as unsigned integers: sign, exponent, fraction."""

    name: str
    exponent: int
    """Bits of the exponent."""
    fraction: int
    """Bits of the fraction."""
    finite: bool = False
    """True when the type has no infinities (``e4m3fn``: only all ones in exponent and fraction is NaN)."""


BF16 = Encoding("bfloat16", 8, 7)
F8_E5M2 = Encoding("float8_e5m2", 5, 2)
F8_E4M3 = Encoding("float8_e4m3fn", 4, 3, finite=True)
"""Micikevicius et al. 2022, "FP8 formats for deep learning", https://arxiv.org/abs/2209.05433."""


def decode(raw: Array, encoding: Encoding) -> Array:
    """The values of unsigned integers as float32, exactly."""
    import numpy

    if encoding is BF16:
        return (raw.astype(numpy.uint32) << 16).view(numpy.float32)
    bias, one = (1 << (encoding.exponent - 1)) - 1, 1 << encoding.fraction
    exponent = (raw >> encoding.fraction) & ((1 << encoding.exponent) - 1)
    fraction = raw & (one - 1)
    normal = (1 + fraction / one) * numpy.exp2(exponent.astype(numpy.float64) - bias)
    value = numpy.where(exponent == 0, fraction / one * 2.0 ** (1 - bias), normal)
    last = exponent == (1 << encoding.exponent) - 1
    if encoding.finite:
        value = numpy.where(last & (fraction == one - 1), numpy.nan, value)
    else:
        value = numpy.where(last, numpy.where(fraction == 0, numpy.inf, numpy.nan), value)
    negative = (raw >> (encoding.exponent + encoding.fraction)) & 1
    return numpy.where(negative, -value, value).astype(numpy.float32)


def default_tolerance(kind: Any, encoding: Encoding | None) -> Tolerance | None:
    """By the type's precision; None for types that know no distance or are exact."""
    if encoding is not None:
        return BFLOAT16 if encoding is BF16 else Tolerance(2.0**-encoding.fraction, 1e-5)
    if kind.kind in "fc":
        return _DEFAULTS.get(kind.itemsize // (2 if kind.kind == "c" else 1), FLOAT64)
    return None


def ulps(one: Array, two: Array) -> Array | None:
    """Steps between the elements of two arrays of one type, as float64; None when the type has none.

    The arrays hold floats of 2, 4 or 8 bytes, or the unsigned integers of an ``Encoding``. The result is
    NaN where either is NaN or infinite (for an ``Encoding``: the caller leaves those out).
    """
    import numpy

    if one.dtype.kind not in "fu" or one.dtype.itemsize not in (1, 2, 4, 8):
        return None
    positions = []
    for values in (one, two):
        raw = values.view(f"u{values.dtype.itemsize}").astype(numpy.uint64)
        top = numpy.uint64(1 << (values.dtype.itemsize * 8 - 1))
        positions.append(numpy.where(raw >= top, top - (raw - top), top + raw))
    apart = numpy.maximum(*positions) - numpy.minimum(*positions)
    steps = apart.astype(numpy.float64)
    if one.dtype.kind == "f":
        steps[~(numpy.isfinite(one) & numpy.isfinite(two))] = numpy.nan
    return steps


class Median:
    """The median of a stream of numbers in bounded memory: exact up to ``LIMIT``, then of every second
    one."""

    LIMIT = 1 << 18

    def __init__(self) -> None:
        self._kept: list[Array] = []
        self._count = 0
        self._stride = 1

    def add(self, values: Array) -> None:
        """More numbers; NaN are left out."""
        import numpy

        kept = values[~numpy.isnan(values)][:: self._stride]
        self._kept.append(kept)
        self._count += len(kept)
        while self._count > self.LIMIT:
            self._kept = [numpy.concatenate(self._kept)[::2]]
            self._count = len(self._kept[0])
            self._stride *= 2

    def value(self) -> float | None:
        """None when there were no numbers."""
        import numpy

        return float(numpy.median(numpy.concatenate(self._kept))) if self._count else None

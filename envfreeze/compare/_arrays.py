"""Two arrays, block by block: which elements differ, and by how much."""

from __future__ import annotations

import contextlib
import math
import mmap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from envfreeze.compare import Finding, Options
from envfreeze.compare._floats import Encoding, Median, decode, default_tolerance, ulps
from envfreeze.compare._numbers import EXACT, Tolerance, tolerance
from envfreeze.compare._tally import shown
from envfreeze.files import stop_if_told
from envfreeze.records.comparison import Difference
from envfreeze.records.verdict import Verdict

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

BLOCK = 1 << 18
"""Elements that are compared at a time; some 20 MB with all intermediate results."""


RELEASE = 1 << 26
"""Bytes of a mapped file after which its pages are given back, so that memory stays flat."""
_WORDS = (1, 2, 4, 8)
"""Sizes of an element that is compared as one word."""


class _Worst(NamedTuple):
    """The element with the largest relative error."""

    beyond: bool
    relative: float
    steps: int | None
    place: tuple[int, ...]
    original: str
    replay: str


class _Count:
    """What was found in the blocks so far."""

    def __init__(self) -> None:
        self.differing = 0
        self.beyond = 0
        self.worst: _Worst | None = None
        self.first: list[Difference] = []
        self.steps = Median()
        self.most_steps = 0.0
        self.special: Counter[str] = Counter()


def compare_arrays(
    name: str, original: Any, replay: Any, options: Options, encoding: Encoding | None = None
) -> Finding:
    """Element by element; type and shape first.

    Floats are close within the tolerance of their type (``_numbers``), integers only when the user sets one;
    everything else has to be equal. Two NaN are equal if their bits are.

    Args:
        name: what the arrays are called in reasons.
        original, replay: numpy arrays, or what has ``dtype``, ``shape`` and indices like one.
        options: tolerances.
        encoding: the arrays are unsigned integers that hold this type of float.
    """
    for what, one, two in (
        ("type", original.dtype.newbyteorder("="), replay.dtype.newbyteorder("=")),
        ("shape", original.shape, replay.shape),
    ):
        if one != two:
            difference = Difference(where=name, original=shown(str(one)), replay=shown(str(two)), note=what)
            reason = f"{name}: {what} {difference.original} → {difference.replay}"
            return Finding(verdict=Verdict.DIFFERENT, reason=reason, differences=(difference,))
    count = _Count()
    allowed = _tolerance(original.dtype, options, encoding)
    read = 0
    for where in _blocks(tuple(original.shape), ()):
        stop_if_told()
        _compare_block(name, where, original[where], replay[where], allowed, options, count, encoding)
        read += BLOCK * original.dtype.itemsize
        if read >= RELEASE:
            read = 0
            for side in (original, replay):
                _release(side)
    return _finding(name, math.prod(original.shape), allowed, count)


def compare_chunks(
    name: str,
    kind: Any,
    shape: tuple[int, ...],
    chunks: Iterable[tuple[tuple[int, ...], Array, Array]],
    options: Options,
) -> Finding:
    """Like ``compare_arrays``, for two arrays of one type and shape that come in pieces.

    Args:
        name, options: as there.
        kind: numpy's type of the elements.
        shape: of the whole arrays.
        chunks: where a piece starts, one index an axis, and the pieces of both sides, of one shape; those
            that are known to be the same may be left out.
    """
    count = _Count()
    allowed = _tolerance(kind, options, None)
    for start, one, two in chunks:
        stop_if_told()
        for inner in _blocks(tuple(one.shape), ()):
            where = _moved(inner, start)
            _compare_block(name, where, one[inner], two[inner], allowed, options, count, None)
    return _finding(name, math.prod(shape), allowed, count)


def _moved(where: tuple[Any, ...], start: tuple[int, ...]) -> tuple[Any, ...]:
    """An index expression inside of a piece as one of the whole."""
    parts: list[Any] = []
    for part, offset in zip(where, start, strict=False):
        if part is Ellipsis:
            break
        if isinstance(part, slice):
            parts.append(slice(part.start + offset, part.stop + offset))
        else:
            parts.append(part + offset)
    return (*parts, *(slice(offset, None) for offset in start[len(parts) :]))


def _release(array: Any) -> None:
    """Give back the pages of a mapped file; they are read again when they are asked for."""
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "base", None)
    if array is not None:
        with contextlib.suppress(OSError, ValueError):
            array.madvise(mmap.MADV_DONTNEED)


def _tolerance(kind: Any, options: Options, encoding: Encoding | None) -> Tolerance | None:
    """None for types that know no distance."""
    default = default_tolerance(kind, encoding)
    if default is None and kind.kind in "iu":
        default = EXACT
    return None if default is None else tolerance(options, default)


def _blocks(shape: tuple[int, ...], before: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Index expressions that cut an array into blocks of at most ``BLOCK`` elements, in order."""
    size = 1
    for length in shape:
        size *= length
    if size <= BLOCK:
        yield (*before, ...)
        return
    row = size // shape[0]
    if row > BLOCK:
        for index in range(shape[0]):
            yield from _blocks(shape[1:], (*before, index))
        return
    step = max(1, BLOCK // row)
    for start in range(0, shape[0], step):
        yield (*before, slice(start, start + step), ...)


def _compare_block(
    name: str,
    where: tuple[Any, ...],
    original: Array,
    replay: Array,
    allowed: Tolerance | None,
    options: Options,
    count: _Count,
    encoding: Encoding | None,
) -> None:
    import numpy

    one, two = numpy.asarray(original), numpy.asarray(replay)
    if _same_bits(one, two):
        return
    one, two = _native(one), _native(two)
    changed = _changed(one, two)
    places = numpy.argwhere(changed)
    if not len(places):
        return
    first, second = one[changed], two[changed]
    steps = ulps(first, second) if encoding is not None or one.dtype.kind == "f" else None
    if encoding is not None:
        first, second = decode(first, encoding), decode(second, encoding)
        assert steps is not None
        steps[~(numpy.isfinite(first) & numpy.isfinite(second))] = numpy.nan
    _count_kinds(first, second, steps, count)
    if allowed is None:
        beyond = numpy.ones(len(places), dtype=bool)
    else:
        beyond, relative = _beyond(first, second, allowed)
        _remember_worst(where, places, first, second, beyond, relative, steps, count)
    if beyond.any() and not count.beyond:
        count.first = []
    count.differing += len(places)
    count.beyond += int(beyond.sum())
    chosen = numpy.flatnonzero(beyond if count.beyond else ~beyond)
    for place in chosen[: max(0, options.max_differences - len(count.first))]:
        label = f"{name}{list(_index(where, places[place]))}"
        texts = [shown(str(values[place])) for values in (first, second)]
        count.first.append(Difference(where=label, original=texts[0], replay=texts[1]))


def _count_kinds(first: Array, second: Array, steps: Array | None, count: _Count) -> None:
    """Keep NaN, infinities and the sign of zero apart from numbers that merely moved."""
    import numpy

    if first.dtype.kind not in "fc":
        return
    if steps is not None:
        count.steps.add(steps)
        count.most_steps = max(count.most_steps, float(numpy.nanmax(steps, initial=0.0)))
    nan = numpy.isnan(first), numpy.isnan(second)
    infinite = numpy.isinf(first) | numpy.isinf(second)
    for name, found in (
        ("number → NaN", ~nan[0] & nan[1]),
        ("NaN → number", nan[0] & ~nan[1]),
        ("NaN with other bits", nan[0] & nan[1]),
        ("infinite on one side", infinite & ~nan[0] & ~nan[1]),
        ("sign of zero", (first == 0) & (second == 0)),
    ):
        count.special[name] += int(found.sum())


def _beyond(first: Array, second: Array, allowed: Tolerance) -> tuple[Array, Array]:
    """Which of these elements are not within tolerance, and the relative differences (inf where undefined).

    Zeros of either sign are within any tolerance; NaN and infinities only equal their own bits.
    """
    import numpy

    with numpy.errstate(all="ignore"):
        apart, size = _distance(first, second)
        finite = numpy.isfinite(first) & numpy.isfinite(second)
        near = (first == second) | (finite & (apart <= allowed.atol + allowed.rtol * size))
        relative = numpy.where(first == second, 0.0, apart / size).astype(numpy.float64)
    return ~near, numpy.nan_to_num(relative, nan=numpy.inf, posinf=numpy.inf)


def _remember_worst(
    where: tuple[Any, ...],
    places: Array,
    first: Array,
    second: Array,
    beyond: Array,
    relative: Array,
    steps: Array | None,
    count: _Count,
) -> None:
    """Keep the largest relative difference, of those beyond the tolerance when there are some."""
    import numpy

    candidates = numpy.flatnonzero(beyond) if beyond.any() else numpy.arange(len(places))
    largest = int(candidates[numpy.argmax(relative[candidates])])
    rank = bool(beyond[largest]), float(relative[largest])
    if count.worst is None or rank > (count.worst.beyond, count.worst.relative):
        one, two = first[largest], second[largest]
        apart = None if steps is None or numpy.isnan(steps[largest]) else int(steps[largest])
        count.worst = _Worst(*rank, apart, _index(where, places[largest]), str(one), str(two))


def _same_bits(one: Array, two: Array) -> bool:
    """True when this can be seen at once; the usual case, at the speed of memory."""
    import numpy

    size = one.dtype.itemsize
    if (
        one.dtype != two.dtype
        or size not in _WORDS
        or not (one.flags.c_contiguous and two.flags.c_contiguous)
    ):
        return False
    return bool(numpy.array_equal(one.view(f"u{size}"), two.view(f"u{size}")))


def _native(block: Array) -> Array:
    """The block in this machine's byte order, in one piece."""
    import numpy

    return numpy.ascontiguousarray(block, dtype=block.dtype.newbyteorder("=")).reshape(block.shape)


def _changed(one: Array, two: Array) -> Any:
    """Which elements differ in at least one bit; for types with padding, in value."""
    import numpy

    if one.dtype.fields is not None:
        changed = numpy.zeros(one.shape, dtype=bool)
        for field in one.dtype.names or ():
            inner = _changed(*(_native(block[field]) for block in (one, two)))
            changed |= inner.reshape(*one.shape, -1).any(axis=-1)
        return changed
    if one.dtype.char in "gG":  # long double: 6 of its 16 bytes are padding
        return ~((one == two) & (numpy.signbit(one.real) == numpy.signbit(two.real))
                 | (numpy.isnan(one) & numpy.isnan(two)))  # fmt: skip
    if one.dtype.itemsize == 0:
        return numpy.zeros(one.shape, dtype=bool)
    width = one.dtype.itemsize
    if width in _WORDS:
        return one.view(f"u{width}") != two.view(f"u{width}")
    bits = [block.reshape(-1).view(numpy.uint8).reshape(*block.shape, width) for block in (one, two)]
    return (bits[0] != bits[1]).any(axis=-1)


def _distance(first: Array, second: Array) -> tuple[Any, Any]:
    """Distance, and size of the original; integers do not overflow."""
    import numpy

    if first.dtype.kind in "iu":
        unsigned = numpy.uint64
        apart = numpy.maximum(first, second).astype(unsigned) - numpy.minimum(first, second).astype(unsigned)
        return apart.astype(numpy.longdouble), numpy.abs(first.astype(numpy.longdouble))
    wide = {"f": numpy.float64, "c": numpy.complex128}[first.dtype.kind]
    if first.dtype.itemsize > numpy.dtype(wide).itemsize:
        wide = {"f": numpy.longdouble, "c": numpy.clongdouble}[first.dtype.kind]
    first = first.astype(wide)
    return numpy.abs(second.astype(wide) - first), numpy.abs(first)


def _index(where: tuple[Any, ...], place: Any) -> tuple[int, ...]:
    """Index in the whole array of a place inside a block."""
    inner = iter(int(part) for part in place)
    index: list[int] = []
    for part in where:
        if part is Ellipsis:
            break
        index.append(next(inner) + part.start if isinstance(part, slice) else part)
    return (*index, *inner)


def _finding(name: str, size: int, allowed: Tolerance | None, count: _Count) -> Finding:
    if not count.differing:
        reason = "the same elements; header or order in memory differ"
        return Finding(verdict=Verdict.EQUIVALENT, reason=reason)
    reason = f"{name}: {count.differing} of {size} elements differ"
    if count.beyond == 0:
        reason += f", within {allowed}"
    elif count.beyond < count.differing:
        reason += f", {count.beyond} of them beyond {allowed}"
    special = ", ".join(f"{number} × {kind}" for kind, number in count.special.items() if number)
    reason += f" [{special}]" if special else ""
    relative = None
    if count.worst is not None:
        worst, relative = count.worst, count.worst.relative
        steps = "" if worst.steps is None else f", {worst.steps} ULP"
        reason += f"; largest: {list(worst.place)} {worst.original} → {worst.replay}"
        reason += f" (relative {worst.relative:.1e}{steps})"
        median = count.steps.value() if count.differing > 1 else None
        if median is not None:
            reason += f"; ULP: median {median:g}, most {count.most_steps:g}"
    elif count.first:
        reason += f"; first: {count.first[0].where} {count.first[0].original} → {count.first[0].replay}"
    verdict = Verdict.DIFFERENT if count.beyond else Verdict.CLOSE
    return Finding(verdict=verdict, reason=reason, differences=tuple(count.first), relative=relative)

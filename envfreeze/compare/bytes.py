"""Anything at all, by its bytes: the last resort."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, NamedTuple

from envfreeze.compare import Comparator, Finding, Options
from envfreeze.files import stop_if_told
from envfreeze.records.comparison import Difference
from envfreeze.records.verdict import Verdict


class Parting(NamedTuple):
    """Where two contents part: offset in bytes, and the byte on either side (None past the end)."""

    offset: int
    original: int | None
    replay: int | None


def parting(original: Path, replay: Path) -> Parting | None:
    """The first byte that differs; None when the contents are the same. Reads both in chunks.

    Raises:
        OSError: a file cannot be read.
    """
    offset = 0
    buffers = bytearray(_STEP), bytearray(_STEP)
    with original.open("rb", buffering=0) as first, replay.open("rb", buffering=0) as second:
        while True:
            stop_if_told()
            one, two = _fill(first, buffers[0]), _fill(second, buffers[1])
            if one == two == _STEP and buffers[0] == buffers[1]:  # as bytearrays: one memcmp(3), no copy
                offset += _STEP
                continue
            left, right = bytes(buffers[0][:one]), bytes(buffers[1][:two])
            if left != right:
                shared = _shared_length(left, right)
                return Parting(
                    offset + shared,
                    left[shared] if shared < one else None,
                    right[shared] if shared < two else None,
                )
            return None


_STEP = 1 << 18
"""Bytes that are read at a time; two such buffers stay in a processor's cache."""


def _fill(stream: IO[bytes], buffer: bytearray) -> int:
    """Read until the buffer is full or the file ends; how many bytes there are now."""
    count = stream.readinto(buffer)  # type: ignore[attr-defined]
    while 0 < count < len(buffer):
        more = stream.readinto(memoryview(buffer)[count:])  # type: ignore[attr-defined]
        if not more:
            break
        count += more
    return int(count)


SMALL = 1 << 16
"""Bytes that ``same_small`` reads at once."""


def same_small(original: Path, replay: Path) -> int | None:
    """The size of two small files with the same bytes, by as few calls as can be; None when they may
    differ."""
    contents = []
    for path in (original, replay):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            contents.append(os.read(descriptor, SMALL + 1))
        except OSError:
            return None
        finally:
            os.close(descriptor)
    one, two = contents
    return len(one) if one == two and len(one) <= SMALL else None


def _shared_length(one: bytes, two: bytes) -> int:
    """Length of the longest common start, by halving."""
    low, high = 0, min(len(one), len(two))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == two[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Different, with the first offset (counted from 0) and the sizes; identical when no byte differs."""
    found = parting(original, replay)
    if found is None:
        return Finding(verdict=Verdict.IDENTICAL, reason="every bit is the same")
    sizes = original.stat().st_size, replay.stat().st_size
    size = f"{sizes[0]} bytes" if sizes[0] == sizes[1] else f"{sizes[0]} → {sizes[1]} bytes"
    first, second = (
        "end of file" if byte is None else f"0x{byte:02x}" for byte in (found.original, found.replay)
    )
    where = f"byte {found.offset}"
    return Finding(
        verdict=Verdict.DIFFERENT,
        reason=f"first differs at {where}: {first} → {second} ({size})",
        differences=(Difference(where=where, original=first, replay=second),),
    )


COMPARATOR = Comparator(name="bytes", priority=0, recognises=lambda sample: True, compare=compare)

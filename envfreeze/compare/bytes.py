"""Anything at all, by its bytes: the last resort."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from envfreeze.compare import Comparator, Finding, Options
from envfreeze.files import CHUNK, stop_if_told
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
    with original.open("rb") as first, replay.open("rb") as second:
        while True:
            stop_if_told()
            one, two = first.read(CHUNK), second.read(CHUNK)
            if one != two:
                shared = _shared_length(one, two)
                return Parting(
                    offset + shared,
                    one[shared] if shared < len(one) else None,
                    two[shared] if shared < len(two) else None,
                )
            if not one:
                return None
            offset += len(one)


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

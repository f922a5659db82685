"""What the agent appended while a process ran, made into a tape as the shim writes it.

The formats are in ``agent/envfreeze_tape_format.py`` and ``shim/tape.h``.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

_CHUNK = struct.Struct("=IIII")
_MAGIC = 0x45504154
_LARGEST = 1 << 20
"""Bytes of data after which a chunk is written out."""


def written_out(path: Path, target: Path) -> tuple[list[bytes], int]:
    """Write the tape; the label of each stream, and the size in bytes.

    A record that a kill cut off is left out, and what follows it.

    Raises:
        OSError: a file cannot be read or written.
    """
    labels: list[bytes] = []
    waiting: dict[int, bytearray] = {}
    with path.open("rb") as source, target.open("wb") as copy:
        os.fchmod(copy.fileno(), 0o600)
        if path.stat().st_size == 0:
            return [], 0

        def write(number: int) -> None:
            data = waiting[number]
            room = -len(data) % 16
            copy.write(_CHUNK.pack(_CHUNK.size + len(data) + room, len(data), number, _MAGIC))
            copy.write(data + bytes(room))
            waiting[number] = bytearray()

        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as log:
            for number, data in _records(log):
                if number == 0:
                    labels.append(data)
                    waiting[len(labels)] = bytearray(data)
                elif number not in waiting:
                    break
                else:
                    waiting[number] += data
                    if len(waiting[number]) > _LARGEST:
                        write(number)
            for number in sorted(waiting):
                if waiting[number]:
                    write(number)
        return labels, copy.tell()


def _records(log: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    at, end = 0, len(log)
    while at < end:
        number, at = _varint(log, at, end)
        size, at = _varint(log, at, end)
        if number < 0 or size < 0 or at + size > end:
            return
        yield number, log[at : at + size]
        at += size


def _varint(log: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """The number at a place, and the place after it; -1 when the file ends in its middle."""
    value = shift = 0
    while at < end and shift < 64:
        byte = log[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return -1, end

"""Sorted tables of keys and values, as TensorFlow keeps the index of a checkpoint.

The format is LevelDB's (https://github.com/google/leveldb/blob/main/doc/table_format.md) with the checksums
of ``_tfrecord``; TensorFlow's copy is ``tensorflow/core/lib/io/table*``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from envfreeze.compare import NotThisKind
from envfreeze.compare._limits import budget
from envfreeze.compare._protobuf import varint
from envfreeze.compare._tfrecord import masked_crc

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER = 48
_TRAILER = 5
"""Of a block: the kind of its compression, and the checksum."""
MAX_ENTRIES = 2_000_000


def entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys in their order, and the values.

    Raises:
        NotThisKind: it is no table, damaged, compressed, or its keys are not in order.
    """
    if len(data) < _FOOTER or data[-8:] != MAGIC:
        raise NotThisKind("no table of keys and values")
    footer = data[-_FOOTER:]
    _, place = varint(footer, 0)
    _, place = varint(footer, place)
    if any(_block(data, *_handle(footer, 0))):
        raise NotThisKind("a table with other blocks than those of entries")
    _check_padding(footer, place)
    last: bytes | None = None
    count = 0
    for _, handle in _block(data, *_handle(footer, place)):
        for key, value in _block(data, *_handle(handle, 0)):
            count += 1
            if (last is not None and key <= last) or count > MAX_ENTRIES:
                raise NotThisKind("its keys are not in order, or too many")
            last = key
            yield key, value


def _check_padding(footer: bytes, place: int) -> None:
    for _ in range(2):
        _, place = varint(footer, place)
    if footer[place:-8].strip(b"\0"):
        raise NotThisKind("a damaged footer")


def _handle(data: bytes, place: int) -> tuple[int, int]:
    offset, place = varint(data, place)
    size, _ = varint(data, place)
    return offset, size


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block, whose keys share their starts with the one before."""
    end = offset + size
    if end + _TRAILER > len(data) or size < 4:
        raise NotThisKind("a block lies outside of the file")
    if data[end] != 0:
        raise NotThisKind("its blocks are compressed")
    if struct.unpack("<I", data[end + 1 : end + _TRAILER])[0] != masked_crc(data[offset : end + 1]):
        raise NotThisKind("a block has a wrong checksum")
    block = data[offset:end]
    restarts = struct.unpack("<I", block[-4:])[0]
    stop = size - 4 * (restarts + 1)
    if stop < 0:
        raise NotThisKind("a damaged block")
    key, place = b"", 0
    while place < stop:
        shared, place = varint(block, place)
        more, place = varint(block, place)
        length, place = varint(block, place)
        if shared > len(key) or place + more + length > stop:
            raise NotThisKind("a damaged block")
        key = key[:shared] + block[place : place + more]
        budget().spend(len(key))  # a few bytes each may stand for long keys
        place += more + length
        yield key, block[place - length : place]

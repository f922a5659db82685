"""Files of records as TensorFlow writes them: a length, its checksum, the data, its checksum.

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from envfreeze.compare import NotThisKind
from envfreeze.files import stop_if_told

MAX_RECORD = 64 << 20
HEADER = 12
"""Bytes before the data: the length as 8 bytes, little-endian, and its checksum."""


def starts(head: bytes, size: int) -> bool:
    """True when a file of ``size`` bytes that begins with ``head`` begins with a record."""
    if len(head) < HEADER:
        return False
    length, check = struct.unpack("<QI", head[:HEADER])
    return bool(length + HEADER + 4 <= size) and check == masked_crc(head[:8])


def records(path: Path) -> Iterator[bytes]:
    """The data of each record.

    Raises:
        NotThisKind: a record is cut off, longer than ``MAX_RECORD`` or the file, or has a wrong checksum.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        while header := file.read(HEADER):
            stop_if_told()
            if len(header) < HEADER:
                raise NotThisKind("it is cut off")
            length, check = struct.unpack("<QI", header)
            if check != masked_crc(header[:8]):
                raise NotThisKind("a record has a wrong checksum")
            if length > min(MAX_RECORD, size - file.tell()):
                raise NotThisKind("a record is longer than it can be")
            data, end = file.read(length), file.read(4)
            if len(end) < 4 or struct.unpack("<I", end)[0] != masked_crc(data):
                raise NotThisKind("a record has a wrong checksum")
            yield data


def masked_crc(data: bytes) -> int:
    """The checksum as TensorFlow keeps it: turned by 15 bits, plus a constant
    (``tensorflow/core/lib/hash/crc32c.h``)."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC-32C (RFC 3720, appendix B.4); by google-crc32c where it is installed, which is far faster."""
    try:
        import google_crc32c
    except ImportError:
        return _slowly(data)
    return int(google_crc32c.value(bytes(data)))


def _table() -> tuple[int, ...]:
    result = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        result.append(byte)
    return tuple(result)


_TABLE = _table()


def _slowly(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF

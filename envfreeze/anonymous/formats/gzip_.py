"""gzip (RFC 1952): the stream, and the file's name and comment in its header."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

from envfreeze.anonymous.formats import UNBOUNDED, Budget, CannotOpen, Change, Format, Part, collected
from envfreeze.anonymous.formats._streams import chunks
from envfreeze.anonymous.names import Buffer, Names

_EXTRA, _NAME, _COMMENT, _CRC = 4, 8, 16, 2


def _chunks(data: Buffer) -> Iterator[bytes]:
    return chunks(data, lambda: zlib.decompressobj(31), (zlib.error,))


def parts(data: Buffer, budget: Budget) -> Iterator[Part]:
    """The header as it is, and the content."""
    yield Part("", _header(data))
    yield Part("", collected(_chunks(data), budget))


def rewrite(data: Buffer, names: Names, change: Change) -> bytes | None:
    """With the header's time and level; a header's own checksum (which nobody writes) is left out."""
    content = collected(_chunks(data), Budget(UNBOUNDED))
    header, made = _header(data), change("", content)
    new_header = names.replaced(header)
    if made is None and new_header is None:
        return None
    header = new_header or header
    flags = header[3] & ~_CRC
    if header[3] & _CRC:
        header = header[:-2]
    level = 1 if header[8] == 4 else 9
    body = gzip.compress(made if made is not None else bytes(content), level, mtime=0)[10:]
    return header[:3] + bytes([flags]) + header[4:] + body


def _header(data: Buffer) -> bytes:
    """Its bytes: ten, and the optional fields that the flags name.

    Raises:
        CannotOpen: it has no end.
    """
    flags, end = data[3], 10
    if flags & _EXTRA:
        end += 2 + int.from_bytes(data[10:12], "little")
    for flag in (_NAME, _COMMENT):
        if flags & flag:
            zero = data.find(b"\0", end, end + (1 << 16))
            if zero < 0:
                raise CannotOpen("its header has no end")
            end = zero + 1
    return bytes(data[: end + (2 if flags & _CRC else 0)])


FORMAT = Format(
    name="gzip",
    recognises=lambda head, _: head[:3] == b"\x1f\x8b\x08" and len(head) > 17,
    parts=parts,
    rewrite=rewrite,
)

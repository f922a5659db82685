"""Bare zlib streams (RFC 1950), as git's objects are."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from envfreeze.anonymous.formats import Format
from envfreeze.anonymous.formats._streams import chunks, stream_parts, stream_rewrite
from envfreeze.anonymous.names import Buffer


def _chunks(data: Buffer) -> Iterator[bytes]:
    return chunks(data, zlib.decompressobj, (zlib.error,))


def _recognises(head: bytes, data: Buffer) -> bool:
    """By the header's check bits, and because it opens: text may well begin so."""
    if len(head) < 8 or head[0] != 0x78 or head[1] not in (0x01, 0x5E, 0x9C, 0xDA):
        return False
    try:
        zlib.decompressobj().decompress(bytes(data[:4096]))
    except zlib.error:
        return False
    return True


FORMAT = Format(
    name="zlib",
    recognises=_recognises,
    parts=stream_parts(_chunks),
    rewrite=stream_rewrite(_chunks, zlib.compress),
)

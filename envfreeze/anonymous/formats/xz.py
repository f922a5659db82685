"""xz streams."""

from __future__ import annotations

import lzma
from collections.abc import Iterator

from envfreeze.anonymous.formats import Format
from envfreeze.anonymous.formats._streams import chunks, stream_parts, stream_rewrite
from envfreeze.anonymous.names import Buffer


def _chunks(data: Buffer) -> Iterator[bytes]:
    return chunks(data, lzma.LZMADecompressor, (lzma.LZMAError, EOFError))


FORMAT = Format(
    name="xz",
    recognises=lambda head, _: head[:6] == b"\xfd7zXZ\0",
    parts=stream_parts(_chunks),
    rewrite=stream_rewrite(_chunks, lzma.compress),
)

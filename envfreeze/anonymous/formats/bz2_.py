"""bzip2 streams."""

from __future__ import annotations

import bz2
from collections.abc import Iterator

from envfreeze.anonymous.formats import Format
from envfreeze.anonymous.formats._streams import chunks, stream_parts, stream_rewrite
from envfreeze.anonymous.names import Buffer


def _chunks(data: Buffer) -> Iterator[bytes]:
    return chunks(data, bz2.BZ2Decompressor, (OSError, EOFError, ValueError))


FORMAT = Format(
    name="bzip2",
    recognises=lambda head, _: head[:3] == b"BZh" and head[4:10] == b"1AY&SY",
    parts=stream_parts(_chunks),
    rewrite=stream_rewrite(_chunks, bz2.compress),
)

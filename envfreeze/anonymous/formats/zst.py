"""Zstandard frames (RFC 8878), where the library is installed."""

from __future__ import annotations

from collections.abc import Iterator

from envfreeze.anonymous.formats import CannotOpen, Format, stream
from envfreeze.anonymous.formats._streams import stream_parts, stream_rewrite
from envfreeze.anonymous.names import Buffer


def _chunks(data: Buffer) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        raise CannotOpen("Zstandard; pip install 'envfreeze[formats]'") from None
    reader = zstandard.ZstdDecompressor().stream_reader(stream(data), read_across_frames=True)
    try:
        while chunk := reader.read(1 << 20):
            yield chunk
    except zstandard.ZstdError as error:
        raise CannotOpen(str(error)) from None


def _compressed(data: bytes) -> bytes:
    import zstandard

    made: bytes = zstandard.ZstdCompressor().compress(data)
    return made


FORMAT = Format(
    name="Zstandard",
    recognises=lambda head, _: head[:4] == b"\x28\xb5\x2f\xfd",
    parts=stream_parts(_chunks),
    rewrite=stream_rewrite(_chunks, _compressed),
)

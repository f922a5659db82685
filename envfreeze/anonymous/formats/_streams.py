"""What compressed streams share: one content, decompressed in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from envfreeze.anonymous.formats import UNBOUNDED, Budget, CannotOpen, Change, Part, collected
from envfreeze.anonymous.names import Buffer, Names

_PIECE = 1 << 20


class Decompressor(Protocol):
    """As those of zlib, bz2 and lzma."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def chunks(
    data: Buffer, new: Callable[[], Decompressor], failures: tuple[type[Exception], ...]
) -> Iterator[bytes]:
    """Every member of the stream, one after the other, decompressed.

    Raises:
        CannotOpen: it is damaged.
    """
    decompressor, started = new(), False
    try:
        for start in range(0, len(data), _PIECE):
            piece = bytes(data[start : start + _PIECE])
            while piece:
                if decompressor.eof:
                    decompressor = new()
                yield decompressor.decompress(piece)
                started = True
                piece = decompressor.unused_data if decompressor.eof else b""
                if piece and not piece.strip(b"\0"):
                    piece = b""
    except failures as error:
        if not started:
            raise CannotOpen(str(error) or "it is damaged") from None
        raise CannotOpen("there is something behind its end, or it is damaged") from None
    if not decompressor.eof:
        raise CannotOpen("it ends too early")


def stream_rewrite(
    decompress: Callable[[Buffer], Iterator[bytes]], compress: Callable[[bytes], bytes]
) -> Callable[[Buffer, Names, Change], bytes | None]:
    """A ``Format.rewrite`` of a stream with one content and no names."""

    def rewrite(data: Buffer, names: Names, change: Change) -> bytes | None:
        made = change("", collected(decompress(data), Budget(UNBOUNDED)))
        return None if made is None else compress(made)

    return rewrite


def stream_parts(
    decompress: Callable[[Buffer], Iterator[bytes]],
) -> Callable[[Buffer, Budget], Iterator[Part]]:
    """A ``Format.parts`` of the same."""

    def parts(data: Buffer, budget: Budget) -> Iterator[Part]:
        yield Part("", collected(decompress(data), budget))

    return parts

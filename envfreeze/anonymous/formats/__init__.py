"""Kinds of files that hold others, or hold text in a way of their own.

To add one, add a file with ``FORMAT = Format(…)``; the registry finds it. Every other file is looked through,
and rewritten, as bytes: a stand-in is as long as what it stands for, so nothing moves in it.
"""

from __future__ import annotations

import functools
import io
import mmap
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NamedTuple

from envfreeze.anonymous.names import Buffer, Names
from envfreeze.records.base import Record

IN_MEMORY = 32 << 20
"""Bytes; larger parts lie in a temporary file."""


class CannotOpen(Exception):
    """It is damaged, encrypted, or takes a library that is not there; the text says which."""


class TooMuch(Exception):
    """It unpacks to more than the search may look through."""


class Budget:
    """Bytes that may still be unpacked: what is looked through may be built to do harm."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, size: int) -> None:
        """Count some bytes.

        Raises:
            TooMuch: there are none left.
        """
        self._left -= size
        if self._left < 0:
            raise TooMuch


class Part(NamedTuple):
    """One content inside of another."""

    name: str
    data: Buffer


Change = Callable[[str, Buffer], bytes | None]
"""A part, by name and content, rewritten; None when nothing had to be."""


class Format(Record):
    """One kind of file."""

    name: str
    recognises: Callable[[bytes, Buffer], bool]
    """By the first 64 bytes, or all."""
    parts: Callable[[Buffer, Budget], Iterator[Part]]
    """All that is in it, headers and names included.

    Raises:
        CannotOpen, TooMuch
    """
    rewrite: Callable[[Buffer, Names, Change], bytes | None] | None = None
    """The file with all parts rewritten, or None when nothing had to be; None for kinds that cannot be.

    Raises:
        CannotOpen, TooMuch
    """


@functools.cache
def formats() -> tuple[Format, ...]:
    """All of them."""
    from envfreeze.anonymous import formats as package
    from envfreeze.registry import members

    return tuple(members(package, "FORMAT", Format))


def collected(chunks: Iterable[bytes], budget: Budget) -> Buffer:
    """The chunks as one buffer, in a temporary file when they are many."""
    stream = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the map keeps it
    size = 0
    for chunk in chunks:
        budget.take(len(chunk))
        size += len(chunk)
        stream.write(chunk)
    if size <= IN_MEMORY:
        stream.seek(0)
        return stream.read()
    stream.flush()
    return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def stream(data: Buffer) -> IO[bytes]:
    """A buffer as a file; a map is not copied."""
    return io.BufferedReader(_Mapped(data)) if isinstance(data, mmap.mmap) else io.BytesIO(data)


class _Mapped(io.RawIOBase):
    """A map as a file of its own position."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._at = data, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, len(self._data))[whence])
        return self._at

    def readinto(self, target: Any) -> int:
        piece = self._data[self._at : self._at + len(target)]
        target[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


UNBOUNDED = 1 << 62
"""For rewriting: it is the author's own content."""

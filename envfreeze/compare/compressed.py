"""One compressed stream: gzip (RFC 1952), bzip2, xz, Zstandard (RFC 8878); compared by what it unpacks to.

The time and the name in a gzip header, the level and the cut into blocks are no results.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._contents import compare_contents, deeper
from envfreeze.compare._limits import is_full, missing, no_room
from envfreeze.compare._members import unpack
from envfreeze.compare._tally import Tally
from envfreeze.compare.text import recognises as is_text
from envfreeze.errors import EnvironmentFailure
from envfreeze.records.verdict import Verdict

ZSTD = b"\x28\xb5\x2f\xfd"
_STEP = 4096
"""Bytes that are unpacked at a time; a block of 4 bytes can stand for 128 KiB."""
_WINDOW = 27
"""log2 of the most bytes that a frame may ask a reader to keep; the default of the ``zstd`` program."""


class _Zstd(io.RawIOBase):
    """What a Zstandard file unpacks to; unlike the library, it notices that the end is missing."""

    def __init__(self, path: Path) -> None:
        try:
            import zstandard
        except ImportError:
            raise missing("zstandard") from None
        self._make = zstandard.ZstdDecompressor(max_window_size=1 << _WINDOW).decompressobj
        self._file = path.open("rb")
        self._reader = self._make()
        self._ready = b""

    def read(self, size: int = -1) -> bytes:
        while not self._ready:
            data = self._reader.unused_data if self._reader.eof else b""
            data = data or self._file.read(_STEP)
            if not data and not self._reader.eof:
                raise EOFError("the end is missing")
            if not data:
                return b""
            if self._reader.eof:
                self._reader = self._make()
            self._ready = self._reader.decompress(data)
        part, self._ready = self._ready[:size], self._ready[size:]
        return part

    def close(self) -> None:
        self._file.close()
        super().close()


_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b\x08": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    ZSTD: _Zstd,
}


_ZLIB = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
"""zlib (RFC 1950) at its usual levels, as joblib writes."""


class _Zlib(io.RawIOBase):
    """What a zlib stream unpacks to."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._reader = zlib.decompressobj()

    def read(self, size: int = -1) -> bytes:
        while not self._reader.eof:
            data = self._reader.unconsumed_tail or self._file.read(_STEP)
            if part := self._reader.decompress(data, max(size, 1)):
                return part
            if not data:
                raise EOFError("the end is missing")
        if self._reader.unused_data or self._file.read(1):
            raise EOFError("something follows the end")
        return b""

    def close(self) -> None:
        self._file.close()
        super().close()


def _opener(head: bytes) -> Callable[[Path], Any] | None:
    if head.startswith(_ZLIB):
        return _Zlib
    return next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)


def recognises(sample: Sample) -> bool:
    """By the first bytes; those of zlib are few, so that nothing which may be text is taken for it."""
    return _opener(sample.head) is not None and not (sample.head.startswith(_ZLIB) and is_text(sample))


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """As what they unpack to; equivalent at best.

    Raises:
        NotThisKind: damaged, of two kinds, larger than allowed, or its library is missing.
    """
    inner = deeper(options)
    openers = [_opener(_head(path)) for path in (original, replay)]
    if openers[0] is None or openers[0] is not openers[1]:
        raise NotThisKind("they are compressed in different ways")
    opener = openers[0]
    tally = Tally(options)
    with tempfile.TemporaryDirectory(prefix="envfreeze-") as folder:
        paths = Path(folder, "original"), Path(folder, "replay")
        try:
            for source, target in zip((original, replay), paths, strict=True):
                unpack(lambda source=source: opener(source), target)  # type: ignore[misc]
        except (NotThisKind, EnvironmentFailure):
            raise
        except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
            if is_full(error):
                raise no_room() from None
            raise NotThisKind(f"damaged ({error})") from None
        except Exception as error:  # zstandard.ZstdError; its class is only there when the library is
            raise NotThisKind(f"damaged ({error})") from None
        finding = compare_contents(*paths, inner, "").finding
    if finding.verdict is Verdict.UNCOMPARED:
        raise NotThisKind(finding.reason)
    tally.include("", finding)
    return tally.finding("the same content; compression level, time or name in the header differ")


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(8)


COMPARATOR = Comparator(name="compressed", priority=85, recognises=recognises, compare=compare)

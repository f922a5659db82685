"""PNG: text beside the picture (tEXt, zTXt, iTXt, eXIf); the pixels are never touched.

Source: https://www.w3.org/TR/png-3/#11textinfo.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from envfreeze.anonymous.formats import Budget, CannotOpen, Change, Format, Part
from envfreeze.anonymous.names import Buffer, Names

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = {b"IDAT", b"fdAT", b"PLTE", b"tRNS"}
_MAX_TEXT = 64 << 20


class _Chunk(NamedTuple):
    kind: bytes
    data: bytes


def _chunks(data: Buffer) -> tuple[list[_Chunk], bytes]:
    """All of them, and what stands behind the last."""
    found: list[_Chunk] = []
    at = len(_SIGNATURE)
    while at + 12 <= len(data) and (not found or found[-1].kind != b"IEND"):
        size = struct.unpack(">I", data[at : at + 4])[0]
        if at + 12 + size > len(data):
            raise CannotOpen("it ends too early")
        found.append(_Chunk(bytes(data[at + 4 : at + 8]), bytes(data[at + 8 : at + 8 + size])))
        at += 12 + size
    return found, bytes(data[at:])


def _packed_text(chunk: _Chunk) -> tuple[bytes, bytes] | None:
    """What stands before the compressed text of a chunk, and the text."""
    if chunk.kind == b"zTXt":
        start = chunk.data.find(b"\0") + 2
    elif chunk.kind == b"iTXt":
        key = chunk.data.find(b"\0")
        if key < 0 or chunk.data[key + 1 : key + 2] != b"\1":
            return None
        language = chunk.data.find(b"\0", key + 3)
        start = chunk.data.find(b"\0", language + 1) + 1
    elif chunk.kind == b"iCCP":
        start = chunk.data.find(b"\0") + 2
    else:
        return None
    try:
        return chunk.data[:start], zlib.decompressobj().decompress(chunk.data[start:], _MAX_TEXT)
    except zlib.error:
        raise CannotOpen("its text is damaged") from None


def parts(data: Buffer, budget: Budget) -> Iterator[Part]:
    """The texts."""
    chunks, rest = _chunks(data)
    for chunk in chunks:
        if chunk.kind in _PIXELS:
            continue
        packed = _packed_text(chunk)
        text = chunk.data if packed is None else packed[0] + packed[1]
        budget.take(len(text))
        yield Part(chunk.kind.decode("latin-1"), text)
    if rest:
        yield Part("behind its end", rest)


def rewrite(data: Buffer, names: Names, change: Change) -> bytes | None:
    """With other texts and their checksums."""
    chunks, rest = _chunks(data)
    made, changed = [], False
    for chunk in chunks:
        new = None if chunk.kind in _PIXELS else _rewritten(chunk, names)
        changed |= new is not None
        made.append(new or chunk)
    new_rest = names.replaced(rest)
    if not changed and new_rest is None:
        return None
    body = b"".join(
        struct.pack(">I", len(chunk.data)) + chunk.kind + chunk.data
        + struct.pack(">I", zlib.crc32(chunk.kind + chunk.data))
        for chunk in made
    )  # fmt: skip
    return _SIGNATURE + body + (new_rest or rest)


def _rewritten(chunk: _Chunk, names: Names) -> _Chunk | None:
    packed = _packed_text(chunk)
    if packed is None:
        text = names.replaced(chunk.data)
        return None if text is None else _Chunk(chunk.kind, text)
    before, text = names.replaced(packed[0]), names.replaced(packed[1])
    if before is None and text is None:
        return None
    return _Chunk(
        chunk.kind, (before or packed[0]) + zlib.compress(text if text is not None else packed[1], 9)
    )


FORMAT = Format(name="PNG", recognises=lambda head, _: head[:8] == _SIGNATURE, parts=parts, rewrite=rewrite)

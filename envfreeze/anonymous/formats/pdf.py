"""PDF: the document's information, XMP, and the text in compressed streams.

A stream is compressed again into the room that it had, so that every object stays at its offset (ISO 32000-1,
7.5.4). Text that is drawn in pieces is only found by the library that reads it, and then cannot be replaced.
"""

from __future__ import annotations

import io
import itertools
import logging
import re
import zlib
from collections.abc import Iterator

from envfreeze.anonymous.formats import Budget, Change, Format, Part, stream
from envfreeze.anonymous.names import Buffer, Names

_STREAM = re.compile(rb"stream\r?\n")
_MAX = 256 << 20
_STRING = re.compile(rb"\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)|<[0-9A-Fa-f\s]+>", re.DOTALL)
_UNIT = re.compile(rb"\\([0-7]{3}|.)|[^\\]", re.DOTALL)
_ARRAY = re.compile(rb"\[(?:\s|[-+0-9.]|\((?:[^()\\]|\\.)*\))*\]\s*TJ", re.DOTALL)


def _streams(data: Buffer) -> Iterator[tuple[int, int, bytes]]:
    """Place of each stream that zlib opens, and its content."""
    for found in _STREAM.finditer(data):
        end = data.find(b"endstream", found.end())
        if end < 0:
            return
        decompressor = zlib.decompressobj()
        try:
            content = decompressor.decompress(bytes(data[found.end() : end]), _MAX)
        except zlib.error:
            continue
        yield found.end(), end - len(decompressor.unused_data), content


def parts(data: Buffer, budget: Budget) -> Iterator[Part]:
    """Streams, the strings in them and around them as they are read, and the text if the library is there."""
    yield Part("its strings", _strings(data))
    for _, _, content in _streams(data):
        budget.take(len(content))
        yield Part("", content)
        yield Part("", _strings(content))
    yield from _drawn(data)


def _pieces(array: bytes) -> list[tuple[int, int, bytes]]:
    """Place in the array and value of each character in its strings, for those that are one byte each."""
    found = []
    for string in _STRING.finditer(array):
        if string[0].startswith(b"("):
            for unit in _UNIT.finditer(array, string.start() + 1, string.end() - 1):
                value = _unescaped(unit) if unit[1] is not None else unit[0]
                found.append((unit.start(), unit.end(), value))
    return found


def _in_arrays(data: bytes, names: Names) -> bytes | None:
    """Text that is drawn letter by letter, with distances between (the operator TJ; ISO 32000-1, 9.4.3)."""
    made, changed = bytearray(data), False
    for found in _ARRAY.finditer(data):
        pieces = _pieces(found[0])
        text = b"".join(value for _, _, value in pieces)
        new = names.replaced(text) if all(len(value) == 1 for _, _, value in pieces) else None
        if new is None:
            continue
        for (start, end, value), char in zip(pieces, new, strict=True):
            old = found[0][start:end]
            if bytes([char]) != value and len(old) in (1, 4):
                made[found.start() + start : found.start() + end] = _escaped(char, old)
                changed = True
    return bytes(made) if changed else None


def _strings(data: Buffer) -> bytes:
    """Literal and hexadecimal strings with their escapes taken out, a line each (ISO 32000-1, 7.3.4)."""
    made = bytearray()
    for found in _STRING.finditer(data):
        text = found[0]
        if text.startswith(b"<"):
            digits = re.sub(rb"\s", b"", text[1:-1])
            plain = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
        else:
            plain = re.sub(rb"\\([0-7]{1,3}|.|\r?\n)", _unescaped, text[1:-1], flags=re.DOTALL)
        if plain[:2] in (b"\xfe\xff", b"\xff\xfe"):
            plain = plain.decode("utf-16", "replace").encode("utf-8", "replace")
        made += plain + b"\n"
    for array in _ARRAY.finditer(data):
        made += b"".join(value for _, _, value in _pieces(array[0])) + b"\n"
    return bytes(made)


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[1][:1].isdigit():
        return bytes([int(found[1], 8) & 0xFF])
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(found[1], b"" if found[1][-1:] == b"\n" else found[1])


def _drawn(data: Buffer) -> Iterator[Part]:
    try:
        import pypdf
    except ImportError:
        return
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns of what it mends
    try:
        text = "\n".join(page.extract_text() for page in pypdf.PdfReader(stream(data)).pages)
    except Exception:  # a hostile or damaged document may raise anything
        return
    yield Part("its text", text.encode("utf-8", "replace"))


def rewrite(data: Buffer, names: Names, change: Change) -> bytes | None:
    """In place, every byte that says nothing of the author where it was; else written anew by the library."""
    made, changed = bytearray(data), False
    for start, end, content in _streams(data):
        new = _changed(content, names, change)
        packed = None if new is None else _fitting(new, end - start)
        if new is not None and packed is None:
            anew = _written_anew(data, names, change)
            return anew if anew is not None else _outside_streams(bytes(made), names)
        if packed is not None:
            made[start:end] = packed
            changed = True
    return _outside_streams(bytes(made), names) or (bytes(made) if changed else None)


def _changed(content: bytes, names: Names, change: Change) -> bytes | None:
    """A stream's content, plain text and then escaped strings replaced."""
    new = change("", content)
    for replace in (_in_strings, _in_arrays):
        new = replace(new if new is not None else content, names) or new
    return new


def _outside_streams(data: bytes, names: Names) -> bytes | None:
    plain = names.replaced(data)
    return _in_strings(plain if plain is not None else data, names) or plain


def _written_anew(data: Buffer, names: Names, change: Change) -> bytes | None:
    """The same objects with the changed streams, by pypdf; None without it, or where it cannot."""
    try:
        import pypdf
        from pypdf.generic import StreamObject
    except ImportError:
        return None
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    target = io.BytesIO()
    try:
        writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(stream(data)))
        for number in itertools.count(1):
            item = writer.get_object(number)
            if isinstance(item, StreamObject):
                new = _changed(item.get_data(), names, change)
                if new is not None:
                    item.set_data(new)
    except IndexError:
        pass  # that was the last object
    except Exception:  # a damaged document may raise anything, and then is found by the search
        return None
    try:
        writer.write(target)
    except Exception:
        return None
    made = target.getvalue()
    return _outside_streams(made, names) or made


def _in_strings(data: bytes, names: Names) -> bytes | None:
    """Escaped and UTF-16 strings, where they can be replaced without moving anything."""
    made, changed = bytearray(data), False
    for found in _STRING.finditer(data):
        text = found[0]
        if text.startswith(b"<"):
            digits = re.sub(rb"\s", b"", text[1:-1])
            new = names.replaced(bytes.fromhex(digits.decode())) if len(digits) % 2 == 0 else None
            replacement = b"<" + new.hex().encode() + b">" if new is not None else None
        elif b"\\" in text:
            units = list(re.finditer(rb"\\([0-7]{3}|.)|[^\\]", text[1:-1], flags=re.DOTALL))
            plain = b"".join(_unescaped(unit) if unit[1] is not None else unit[0] for unit in units)
            new = names.replaced(plain) if len(plain) == len(units) else None
            replacement = None
            if new is not None:
                made_units = [_escaped(char, unit[0]) for char, unit in zip(new, units, strict=True)]
                replacement = b"(" + b"".join(made_units) + b")"
        else:
            continue
        if replacement is not None and len(replacement) == len(text):
            made[found.start() : found.end()] = replacement
            changed = True
    return bytes(made) if changed else None


def _escaped(char: int, like: bytes) -> bytes:
    if len(like) == 4:
        return b"\\%03o" % char
    return like if len(like) == 2 else bytes([char])


def _fitting(content: bytes, room: int) -> bytes | None:
    """Compressed into exactly this room, filled up with spaces behind its end; None when it does not fit."""
    best: bytes | None = None
    for level, memory in ((9, 9), (9, 8), (6, 8), (6, 9)):
        for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED):
            compressor = zlib.compressobj(level, zlib.DEFLATED, 15, memory, strategy)
            packed = compressor.compress(content) + compressor.flush()
            if best is None or len(packed) < len(best):
                best = packed
    return best.ljust(room, b" ") if best is not None and len(best) <= room else None


FORMAT = Format(name="PDF", recognises=lambda head, _: head[:5] == b"%PDF-", parts=parts, rewrite=rewrite)

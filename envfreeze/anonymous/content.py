"""Contents of any kind looked through, and rewritten: archives in archives, streams, base64 in text.

Nothing is changed where no identity is, so that a file without one keeps its digest.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from envfreeze.anonymous.formats import Budget, CannotOpen, Format, TooMuch, formats
from envfreeze.anonymous.names import Buffer, Names

MAX_DEPTH = 8
_TEXT, _BINARY = 64 << 20, 8 << 20
"""Bytes; in larger contents (text, and what has zeros in it) base64 and escapes are not looked for."""
_BASE64 = re.compile(
    rb"[A-Za-z0-9+/_-]{12,}(?:(?:\\r)?(?:\\n|\r?\n)(?:\\[tn]|[ \t])*[A-Za-z0-9+/_-]+)*={0,2}"
)
_BREAK = re.compile(rb"(?:\\r)?(?:\\n|\r?\n)(?:\\[tn]|[ \t])*")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){8,}")
_ESCAPES = re.compile(
    rb"%([0-9a-fA-F]{2})|\\x([0-9a-fA-F]{2})|\\u00([0-9a-fA-F]{2})|=([0-9A-F]{2})|&#x([0-9a-fA-F]{2});"
    rb"|&#([0-9]{2,3});|(=\r?\n)"
)


class Place(NamedTuple):
    """Where an identity was found."""

    where: str
    """File, and what in it: ``run.zip: notes.txt line 3``."""
    identity: int


class Seen:
    """What a search has been through, and what it could not look into."""

    def __init__(self, limit: int) -> None:
        self.budget = Budget(limit)
        self.files = 0
        self.opened = 0
        self.closed: list[str] = []
        """What could not be opened, with the reason."""


def find(names: Names, data: Buffer, where: str, seen: Seen, depth: int = 0) -> Iterator[Place]:
    """Every place of an identity, inside of archives and encodings too."""
    seen.files += 1
    inside = list(_inside(names, data, where, seen, depth))
    yield from inside
    if inside:
        return
    for match in names.matches(data):
        yield Place(f"{where}{_line(data, match.start)}", match.identity)
    if _is_short(data):
        yield from _encoded(names, data, where, seen, depth)


def _inside(names: Names, data: Buffer, where: str, seen: Seen, depth: int) -> Iterator[Place]:
    format = _format(data)
    if format is None:
        return
    if depth >= MAX_DEPTH:
        seen.closed.append(f"{where} (packed more than {MAX_DEPTH} times)")
        return
    seen.opened += 1
    try:
        for part in format.parts(data, seen.budget):
            for match in names.matches(part.name.encode("utf-8", "surrogateescape")):
                yield Place(f"{where}: a name in it", match.identity)
            yield from find(
                names, part.data, f"{where}: {part.name}" if part.name else where, seen, depth + 1
            )
    except CannotOpen as error:
        seen.closed.append(f"{where} ({error})")
    except TooMuch:
        seen.closed.append(f"{where} (too large once it is unpacked)")


def _format(data: Buffer) -> Format | None:
    head = bytes(data[:64])
    return next((format for format in formats() if format.recognises(head, data)), None)


def _line(data: Buffer, at: int) -> str:
    """`` line N`` for text."""
    if at > _TEXT or b"\0" in data[:8192]:
        return ""
    return f" line {bytes(data[:at]).count(10) + 1}"


def _is_short(data: Buffer) -> bool:
    return len(data) <= _BINARY or (len(data) <= _TEXT and b"\0" not in data[:8192])


class _Run(NamedTuple):
    """Place of a piece of base64."""

    start: int
    end: int


def _runs(data: Buffer) -> Iterator[_Run]:
    """Every piece of base64 that is no hexadecimal number."""
    at = 0
    while found := _BASE64.search(data, at):
        at = found.start() + _extent(found[0])
        text = found[0]
        # Words of programs are of one case; base64 of anything this long is not.
        if not (text.islower() or text.isupper() or text.isdigit() or _HEX.fullmatch(text)):
            yield _Run(found.start(), at)


def _extent(text: bytes) -> int:
    """Length of the lines that belong together: all as wide as the first, and the last no wider."""
    breaks = list(_BREAK.finditer(text))
    stops = [*(one.start() for one in breaks), len(text)]
    end = stops[0]
    for line, stop in zip(breaks, stops[1:], strict=True):
        if stop - line.end() <= stops[0]:
            end = stop
        if stop - line.end() != stops[0]:
            break
    return end


def _digits(data: Buffer, run: _Run) -> bytes:
    text = _BREAK.sub(b"", data[run.start : run.end])
    return text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))


def _decoded(digits: bytes) -> bytes:
    whole = digits[: len(digits) - 1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


def _encoded(names: Names, data: Buffer, where: str, seen: Seen, depth: int) -> Iterator[Place]:
    """What is written in base64, in hexadecimal, or escaped."""
    pieces = bytearray()
    for run in _runs(data):
        digits = _digits(data, run)
        for skipped in range(4):
            piece = _decoded(digits[skipped:])
            pieces += piece + b"\n\n"
            if skipped == 0 and _format(piece) is not None:
                yield from _inside(names, piece, f"{where}{_line(data, run.start)}, base64", seen, depth + 1)
            elif skipped == 0 and depth < MAX_DEPTH and _is_text(piece):
                yield from _encoded(names, piece, f"{where}{_line(data, run.start)}, base64", seen, depth + 1)
    for found in _HEX.finditer(data):
        for start in (0, 1):
            text = found[0][start:]
            pieces += binascii.unhexlify(text[: len(text) // 2 * 2]) + b"\n\n"
    for match in names.matches(bytes(pieces)):
        yield Place(f"{where}, base64 or hexadecimal", match.identity)
    plain = _ESCAPES.sub(_unescaped, data)
    if len(plain) != len(data):
        for match in names.matches(plain):
            yield Place(f"{where}, escaped", match.identity)


def _is_text(data: bytes) -> bool:
    """Whether it begins as text does: base64 of base64 is worth a look, of random words is not."""
    head = data[:256]
    return len(head) >= 12 and all(32 <= byte < 127 or byte in b"\t\r\n" or byte >= 0x80 for byte in head)


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[7]:
        return b""
    if found[6]:
        return bytes([int(found[6])]) if int(found[6]) < 256 else found[0]
    return bytes([int(found[found.lastindex or 1], 16)])


def rewritten(names: Names, data: Buffer, name: str = "", depth: int = 0) -> bytes | None:
    """The content with every identity replaced; None when nothing had to be.

    What cannot be rewritten stays as it is, and is found by the search afterwards.
    """
    format = _format(data)
    if format is None:
        return _plain(names, data, depth)
    if format.rewrite is None or depth >= MAX_DEPTH:
        return None

    def change(part: str, content: Buffer) -> bytes | None:
        return rewritten(names, content, part, depth + 1)

    try:
        return format.rewrite(data, names, change)
    except (CannotOpen, TooMuch):
        return None


def _plain(names: Names, data: Buffer, depth: int) -> bytes | None:
    made = names.replaced(data)
    if _is_short(data):
        embedded = _in_base64(names, made if made is not None else data, depth)
        made = embedded if embedded is not None else made
    return made


def _in_base64(names: Names, data: Buffer, depth: int) -> bytes | None:
    """The text with what is base64 in it rewritten and encoded again."""
    made, taken = bytearray(), 0
    for run in _runs(data):
        text = _rewritten_run(names, bytes(data[run.start : run.end]), _digits(data, run), depth)
        if text is not None:
            made += data[taken : run.start] + text
            taken = run.end
    return bytes(made) + bytes(data[taken:]) if taken else None


def _rewritten_run(names: Names, text: bytes, digits: bytes, depth: int) -> bytes | None:
    first = _decoded(digits)
    if _format(first) is not None:
        packed = rewritten(names, first, depth=depth + 1)
        return None if packed is None else _laid_out(binascii.b2a_base64(packed, newline=False), text)
    for skipped in range(4):
        piece = _decoded(digits[skipped:])
        is_deep = skipped == 0 and depth < MAX_DEPTH and _is_text(piece)
        new = _plain(names, piece, depth + 1) if is_deep else names.replaced(piece)
        if is_deep and new is not None and len(new) != len(piece):
            return _laid_out(binascii.b2a_base64(new, newline=False), text)
        if new is not None:
            encoded = binascii.b2a_base64(new, newline=False)[: len(digits) - skipped]
            # The last digit may hold bits that no byte has.
            encoded += digits[skipped + len(encoded) :]
            return _laid_out(digits[:skipped] + encoded, text)
    return None


def _laid_out(digits: bytes, like: bytes) -> bytes:
    """Base64 with the alphabet, line breaks and padding of what it takes the place of."""
    if b"-" in like or b"_" in like:
        digits = digits.translate(bytes.maketrans(b"+/", b"-_"))
    digits = digits.rstrip(b"=")
    breaks = list(_BREAK.finditer(like))
    width = breaks[0].start() if breaks else 0
    if width:
        lines = [digits[at : at + width] for at in range(0, len(digits), width)]
        laid = breaks[0][0].join(lines)
    else:
        laid = digits
    padded = like.endswith(b"=") or len(like) % 4 == 0
    return laid + (b"=" * (-len(digits) % 4) if padded or width else b"")

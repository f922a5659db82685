"""Finding identities in bytes, and their stand-ins.

Text is UTF-8, Latin-1, UTF-16 or UTF-32, in any case, with characters as they are or escaped as URLs
(RFC 3986), JSON (RFC 8259), HTML and quoted-printable (RFC 2045) do.
"""

from __future__ import annotations

import mmap
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from envfreeze.anonymous.identities import Identity, Spelling, StandIns, spellings

Buffer = bytes | mmap.mmap

_WINDOW = 1 << 20
_REACH = 512
"""Bytes; no match is longer."""
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_SHORT = 6
"""Bytes; a shorter match in binary data may be chance, and so has to look like text."""
_HEX = re.compile(rb"[0-9a-fA-F]*")
_LOOSE = rb"(?:[\s_.,;:+~'\-]|%2[0cde]|\\[nt]|\\u00a0|&nbsp;|\xc2\xa0)"
_BEFORE = rb"(?:(?<![a-z])|(?<=\\[nrtfbv])|(?<=%[0-9a-f]{2})|(?<=\\u[0-9a-f]{4})|(?<=[0-9]m))"
"""Where a word begins: ``\\n``, ``%2F`` and the like end in letters that belong to no word."""
_AFTER = rb"(?![a-z])"
_SAID = {"@": rb"|\s?[\[({]at[\])}]\s?", ".": rb"|\s?[\[({]dot[\])}]\s?"}


class Match(NamedTuple):
    """An identity in a buffer."""

    start: int
    end: int
    identity: int
    replacement: bytes
    """Of the same length."""


class Names:
    """Identities, ready to be looked for."""

    def __init__(self, identities: Iterable[Identity]) -> None:
        self.identities = tuple(identities)
        self._spellings = spellings(self.identities)
        self._stand_ins = StandIns(self._spellings)
        self._patterns = {
            codec: [re.compile(_pattern(one, codec), re.IGNORECASE) for one in self._spellings]
            for codec in ("", *_WIDE)
        }
        self._cores = {codec: self._by_core(codec) for codec in ("", *_WIDE)}

    def _by_core(self, codec: str) -> dict[bytes, list[int]]:
        """Indexes of spellings by what each of their forms holds, in lower case."""
        found: dict[bytes, list[int]] = {}
        for index, spelling in enumerate(self._spellings):
            for core in _cores(spelling, codec):
                found.setdefault(core, []).append(index)
        return found

    def __bool__(self) -> bool:
        return bool(self._spellings)

    def matches(self, data: Buffer) -> Iterator[Match]:
        """Every one, in order and without overlaps."""
        taken = 0
        for start in range(0, len(data), _WINDOW):
            for match in sorted(self._in_window(data, start), key=lambda found: (found.start, -found.end)):
                if match.start >= taken and not _is_chance(data, match):
                    taken = match.end
                    yield match

    def replaced(self, data: Buffer) -> bytes | None:
        """The content with every identity replaced; None when there is none."""
        found = list(self.matches(data))
        if not found:
            return None
        made = bytearray(data)
        for match in found:
            made[match.start : match.end] = match.replacement
        return bytes(made)

    def text(self, text: str) -> str:
        """A text with every identity replaced."""
        made = self.replaced(text.encode("utf-8", "surrogateescape"))
        return text if made is None else made.decode("utf-8", "surrogateescape")

    def _in_window(self, data: Buffer, start: int) -> Iterator[Match]:
        """Matches that begin in the window: around each place where a part of one is found as it stands."""
        end = min(start + _WINDOW, len(data))
        first, last = max(0, start - _REACH), min(end + _REACH, len(data))
        window = bytes(data[first:last]).lower()
        narrow = window.translate(None, b"\0")
        codecs = ("", *(_WIDE if len(narrow) < len(window) else ()))
        for codec in codecs:
            for core, indexes in self._cores[codec].items():
                if codec and core.translate(None, b"\0") not in narrow:
                    continue
                at = window.find(core)
                while at >= 0:
                    near, far = max(0, first + at - _REACH), min(first + at + _REACH, len(data))
                    for index in indexes:
                        for found in self._patterns[codec][index].finditer(data, near, far):
                            if start <= found.start() < end:
                                yield self._match(found, self._spellings[index], codec)
                    at = window.find(core, at + 1)

    def _match(self, found: re.Match[bytes], spelling: Spelling, codec: str) -> Match:
        made = bytearray(found[0])
        for index, word in enumerate(spelling.words, 1):
            if word not in spelling.kept:
                begin, end = found.start(index) - found.start(), found.end(index) - found.start()
                made[begin:end] = _translated(found[index], word, self._stand_ins.of(word), codec)
        return Match(found.start(), found.end(), spelling.identity, bytes(made))


def _cores(spelling: Spelling, codec: str) -> Iterator[bytes]:
    """Parts of which every form of a spelling has one, in lower case."""
    runs = [run for word in spelling.words for run in re.findall(r"[a-z0-9]+", word)]
    core = max(runs, key=len, default="")
    if (
        len(core) < 3 and not spelling.loose
    ):  # such as 02:42:ac: looked for as it stands, or all would be slow
        literal = spelling.between[0] + "".join(
            word + gap for word, gap in zip(spelling.words, spelling.between[1:], strict=True)
        )
        yield literal.encode(codec or "utf-8").lower()
        return
    if len(core) > 1:
        yield core.encode(codec or "utf-8")
        return
    word = max(spelling.words, key=len)
    for one in (word, word.upper()):
        if codec or word.isascii():
            yield one.encode(codec or "utf-8").lower()
        else:
            for forms in zip(
                *(_forms(char) if not char.isascii() else [char.encode()] * 8 for char in one), strict=True
            ):
                yield b"".join(forms).lower()


def _pattern(spelling: Spelling, codec: str) -> bytes:
    words = [b"(" + b"".join(_unit(char, codec) for char in word) + b")" for word in spelling.words]
    if spelling.loose:
        least = 0 if sum(map(len, spelling.words)) >= _SHORT else 1
        gap = _LOOSE if not codec else b"(?:" + b"|".join(_escaped(char, codec) for char in " _.,-+") + b")"
        body = (gap + b"{%d,3}" % least).join(words)
    else:
        gaps = [b"".join(_exact(char, codec) for char in part) for part in spelling.between]
        body = gaps[0] + b"".join(word + gap for word, gap in zip(words, gaps[1:], strict=True))
    if spelling.anywhere:
        return body
    if not codec:
        return _BEFORE + body + _AFTER
    zeros = b"\\0" * (1 if "16" in codec else 3)
    letter = b"[a-z]" + zeros if codec.endswith("le") else zeros + b"[a-z]"
    return b"(?<!" + letter + b")" + body + b"(?!" + letter + b")"


def _escaped(char: str, codec: str) -> bytes:
    return re.escape(char.encode(codec or "utf-8"))


def _exact(char: str, codec: str) -> bytes:
    """A character between words, as it is or escaped."""
    if codec:
        return _escaped(char, codec)
    if char.isspace():
        return _LOOSE + b"{1,3}"
    number = ord(char)
    forms = b"%s|%%%02x|\\\\u%04x|&#%d;|&#x%x;" % (_escaped(char, ""), number & 0xFF, number, number, number)
    extra = rb"|\\/" if char == "/" else rb"|\\\\" if char == "\\" else b""
    return b"(?:" + forms + extra + _SAID.get(char, b"") + b")"


def _unit(char: str, codec: str) -> bytes:
    """A character of a word in every form; plain ASCII is only itself."""
    if char.isascii() and not codec:
        return re.escape(char.encode())
    variants = dict.fromkeys((char, char.upper() if len(char.upper()) == 1 else char))
    if codec:
        return b"(?:" + b"|".join(_escaped(one, codec) for one in variants) + b")"
    return b"(?:" + b"|".join(re.escape(form) for one in variants for form in _forms(one)) + b")"


def _forms(char: str) -> Sequence[bytes]:
    """How a character that is not ASCII stands in text, each at its own place in the list."""
    units = char.encode("utf-16-be")
    escaped = "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    encoded = char.encode()
    return (
        encoded,
        unicodedata.normalize("NFD", char).encode(),
        "".join(f"%{byte:02x}" for byte in encoded).encode(),
        "".join(f"={byte:02x}" for byte in encoded).encode(),
        escaped.encode(),
        f"&#{ord(char)};".encode(),
        f"&#x{ord(char):x};".encode(),
        char.encode("latin-1") if ord(char) < 0x100 else encoded,
    )


def _translated(found: bytes, word: str, stand_in: str, codec: str) -> bytes:
    """The stand-in in the form and case in which the word was found."""
    made, at = bytearray(), 0
    for char, new in zip(word, stand_in, strict=True):
        size, replacement = _translated_char(found[at:], char, new, codec)
        made += replacement
        at += size
    return bytes(made) if len(made) == len(found) else b"x" * len(found)


def _translated_char(rest: bytes, char: str, new: str, codec: str) -> tuple[int, bytes]:
    for old, other in ((char, new), (char.upper(), new.upper())):
        if len(old) != 1 or len(other) != 1:
            continue
        forms = [old.encode(codec)] if codec else [old.encode()] if old.isascii() else _forms(old)
        others = [other.encode(codec)] if codec else [other.encode()] if other.isascii() else _forms(other)
        for form, made in zip(forms, others, strict=False):
            escaped = form[:1] in b"%=\\&" and not codec
            if rest.startswith(form) or (escaped and rest[: len(form)].lower() == form):
                return len(form), made
    return 1, rest[:1]


def _is_chance(data: Buffer, match: Match) -> bool:
    """Whether the letters just happen to be there: in a digest, in base64, in a number."""
    found = data[match.start : match.end]
    if not found.isalnum():
        return False
    before = data[max(0, match.start - 256) : match.start]
    after = data[match.end : match.end + 256]
    if _HEX.fullmatch(found):
        left, right = _HEX.match(before[::-1]), _HEX.match(after)
        around = (len(left[0]) if left else 0) + (len(right[0]) if right else 0)
        if around and around + len(found) >= 32:
            return True
    if len(found) <= 8 and _is_base64(before[-40:], after[:40]):
        return True
    return len(found) < _SHORT and not _is_text(before[-8:], found, after[:8])


_BASE64 = re.compile(rb"[A-Za-z0-9+/]*")


def _is_base64(before: bytes, after: bytes) -> bool:
    """Whether it stands in the middle of a long run that mixes cases and digits as base64 does."""
    left, right = _BASE64.match(before[::-1]), _BASE64.match(after)
    run = (left[0] if left else b"") + (right[0] if right else b"")
    if len(run) < 56:
        return False
    upper = sum(65 <= byte <= 90 for byte in run)
    lower = sum(97 <= byte <= 122 for byte in run)
    digits = sum(48 <= byte <= 57 for byte in run)
    return upper >= 10 and lower >= 10 and digits >= 3 and run.count(b"/") <= 5


def _is_text(before: bytes, found: bytes, after: bytes) -> bool:
    """Whether a short match is a text's: text beside it, or its length before it, or an end after it."""
    beside = before[-3:] + after[:3]
    if sum(32 <= byte < 127 or byte in b"\t\r\n" or byte >= 0xC2 for byte in beside) >= len(beside) - 1:
        return True
    if found not in (found.lower(), found.upper(), found.capitalize()):
        return False
    return before[-1:] in (bytes([len(found)]), b"\0", b"") or after[:1] in (b"\0", b"\n", b"")

"""Programs and libraries (ELF, https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html), section
by section.

The build identifier that a linker writes is no result; every other byte is.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import whole
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally
from envfreeze.compare.bytes import compare as compare_bytes

BUILD_ID = ".note.gnu.build-id"
_NOBITS = 8


class _Section(NamedTuple):
    name: str
    offset: int
    size: int
    data: bytes


def recognises(sample: Sample) -> bool:
    """ELF of 64 bits, little-endian."""
    return sample.head.startswith(b"\x7fELF\x02\x01")


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Equivalent when only the build identifier differs.

    Raises:
        NotThisKind: damaged, or nothing in a section differs.
    """
    data = whole(original), whole(replay)
    one, two = (_sections(content) for content in data)
    tally = Tally(options)
    masked = [_masked(content, sections) for content, sections in zip(data, (one, two), strict=True)]
    if masked[0] == masked[1]:
        tally.aside("build identifier")
        return tally.finding("")
    for name, section in one.items():
        other = two.get(name)
        if other is None:
            tally.differ(name, f"{section.size} bytes", "", ONLY_ORIGINAL)
        elif section.size != other.size:
            tally.differ(name, f"{section.size} bytes", f"{other.size} bytes", "section")
        elif section.data != other.data and name != BUILD_ID:
            count = sum(a != b for a, b in zip(section.data, other.data, strict=True))
            tally.differ(name, f"{section.size} bytes", f"{count} of them differ", "section")
    for name, section in two.items():
        if name not in one:
            tally.differ(name, "", f"{section.size} bytes", ONLY_REPLAY)
    return tally.finding("") if tally.differing else compare_bytes(original, replay, options)


def _masked(data: bytes, sections: dict[str, _Section]) -> bytes:
    """The content with the descriptor of the build identifier, behind 16 bytes of header, blank."""
    section = sections.get(BUILD_ID)
    if section is None or section.size <= 16:
        return data
    end = section.offset + section.size
    return data[: section.offset + 16] + bytes(section.size - 16) + data[end:]


def _sections(data: bytes) -> dict[str, _Section]:
    try:
        (table,) = struct.unpack_from("<Q", data, 0x28)
        size, count, names = struct.unpack_from("<HHH", data, 0x3A)
        headers = [struct.unpack_from("<IIQQQQ", data, table + index * size) for index in range(count)]
        if size < 64 or names >= count:
            raise NotThisKind("it has no table of sections")
        start = headers[names][4]
        found: dict[str, _Section] = {}
        for name, kind, _, _, offset, length in headers[1:]:
            end = data.index(b"\0", start + name)
            text = data[start + name : end].decode("utf-8", "backslashreplace")
            if kind != _NOBITS and offset + length > len(data):
                raise NotThisKind("a section lies outside of the file")
            while text in found:
                text += "'"
            content = b"" if kind == _NOBITS else data[offset : offset + length]
            found[text] = _Section(text, offset, length, content)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise NotThisKind(f"damaged ({error})") from None
    return found


COMPARATOR = Comparator(name="elf", priority=76, recognises=recognises, compare=compare)

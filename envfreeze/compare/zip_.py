"""ZIP archives (PKWARE APPNOTE 6.3), and what is one: wheels, ``.keras``, ``.xlsx``, ``.docx``.

Times, compression and order of the members are no results, nor is what no reader of the archive sees.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import is_full, no_room
from envfreeze.compare._members import Member, compare_members
from envfreeze.compare._tally import Tally

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


DAMAGED = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    ValueError,
    OSError,
)
"""What ``zipfile`` raises for archives that are no more what they were; OSError when it seeks to nowhere."""


def recognises(sample: Sample) -> bool:
    """By the first bytes."""
    return sample.head.startswith(MAGICS)


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By members.

    Raises:
        NotThisKind: damaged, encrypted, or it unpacks to too much.
    """
    try:
        with zipfile.ZipFile(original) as one, zipfile.ZipFile(replay) as two:
            tally = Tally(options)
            if one.comment != two.comment:
                tally.differ("comment", repr(one.comment), repr(two.comment))
            return compare_members(members(one), members(two), options, tally)
    except DAMAGED as error:
        raise damaged(error) from None


def damaged(error: Exception) -> Exception:
    """What to raise for one of ``DAMAGED``, which may be for want of disk."""
    return no_room() if is_full(error) else NotThisKind(f"damaged or encrypted archive ({error})")


def members(archive: zipfile.ZipFile) -> Iterator[Member]:
    """All of them.

    Raises:
        NotThisKind: a name holds a NUL.
    """
    for entry in archive.infolist():
        if entry.orig_filename != entry.filename:
            raise NotThisKind("a member's name holds a NUL")
        mode = entry.external_attr >> 16
        yield Member(
            name=entry.filename,
            size=entry.file_size,
            open=None if entry.is_dir() else lambda entry=entry: archive.open(entry),  # type: ignore[misc]
            facts={"permissions": f"{mode:o}" if mode else "", "comment": entry.comment.decode("latin-1")},
            asides={
                "time of a member": str(entry.date_time),
                "compression": str(entry.compress_type),
                "system that made it": str((entry.create_system, entry.create_version)),
            },
        )


COMPARATOR = Comparator(name="zip", priority=70, recognises=recognises, compare=compare)

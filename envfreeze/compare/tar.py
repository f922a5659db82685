"""Tar archives (POSIX.1-2017 pax, ustar and GNU), member by member.

Times, owners and order of the members are no results; permissions, types and targets of links are.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._members import Member, compare_members
from envfreeze.compare._tally import Tally

_ASIDE = {"mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "path", "linkpath", "size"}
"""Records of a pax header that are compared elsewhere, or are no results."""


def recognises(sample: Sample) -> bool:
    """By ``ustar`` at byte 257 of the first header."""
    return sample.head[257:262] == b"ustar"


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By members.

    Raises:
        NotThisKind: damaged, or with too many members.
    """
    try:
        with tarfile.open(original, "r:") as one, tarfile.open(replay, "r:") as two:
            tally = Tally(options)
            finding = compare_members(_members(one), _members(two), options, tally)
            ends = [_end(path, archive) for path, archive in ((original, one), (replay, two))]
            whole = all(path.stat().st_size % tarfile.RECORDSIZE == 0 for path in (original, replay))
            if (
                ends[0] != ends[1] and not whole
            ):  # up to a whole record, their number follows from the members
                tally.differ("end of the archive", f"{ends[0]} zero bytes", f"{ends[1]} zero bytes")
                return tally.finding("")
            return finding
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise NotThisKind(f"damaged archive ({error})") from None


def _end(path: Path, archive: tarfile.TarFile) -> int:
    """How many zero bytes follow the last member: at least two blocks of them, and nothing else."""
    size = path.stat().st_size - archive.offset
    if not 2 * tarfile.BLOCKSIZE <= size + tarfile.BLOCKSIZE <= 1 << 24:
        raise NotThisKind("it is cut off, or too much follows the last member")
    with path.open("rb") as stream:
        stream.seek(archive.offset)
        if stream.read().strip(b"\0"):
            raise NotThisKind("something follows the last member")
    return size


def _members(archive: tarfile.TarFile) -> Iterator[Member]:
    for entry in archive:
        if entry.issparse():
            raise NotThisKind("it has a sparse member")

        def opener(entry: tarfile.TarInfo = entry) -> IO[bytes]:
            return archive.extractfile(entry) or io.BytesIO()

        extra = {key: value for key, value in entry.pax_headers.items() if key not in _ASIDE}
        yield Member(
            name=entry.name,
            size=entry.size,
            open=opener if entry.isreg() else None,
            facts={
                "type": {b"0": "file", b"\0": "file", b"5": "folder", b"2": "link", b"1": "hard link"}.get(
                    entry.type, f"type {entry.type!r}"
                ),
                "permissions": f"{entry.mode:o}",
                "target": entry.linkname if entry.islnk() or entry.issym() else "",
                "device": f"{entry.devmajor},{entry.devminor}" if entry.isdev() else "",
                "extended attributes": repr(sorted(extra.items())) if extra else "",
            },
            asides={
                "time of a member": repr(entry.mtime),
                "owner of a member": repr((entry.uid, entry.gid, entry.uname, entry.gname)),
            },
        )


COMPARATOR = Comparator(name="tar", priority=75, recognises=recognises, compare=compare)

"""Zip files that are the same bytes for the same content, written in streams.

Times are zip's epoch, members are sorted, and nothing of this machine is in them. (The compressor is zlib's;
another implementation of DEFLATE may choose other bytes for the same content, as RFC 1951 allows.)
"""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from envfreeze.errors import InputError
from envfreeze.files import CHUNK, replacing
from envfreeze.records.base import Record

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_SAMPLE = 1 << 16
_WORTH = 0.95
"""A content of which 64 KiB at its start, middle and end do not shrink below this is stored as it is."""
_LARGE = 8 << 20
_QUICK = 1
"""Level of DEFLATE above 8 MiB: on an image's layers a third of the time for 1.13 times the size."""


class Member(Record):
    """One member of an archive: a file with content from a path or from bytes, or a symbolic link."""

    name: str
    source: Path | None = None
    data: bytes = b""
    sha256: str = ""
    """What the content of ``source`` has to be; checked while it is written."""
    link: str = ""
    """Target of a symbolic link, relative to the folder of ``name``."""
    executable: bool = False
    what: str = ""
    """What it is to the user, for a sentence on damage."""


def write(path: Path, members: Iterable[Member]) -> None:
    """Write the archive whole or not at all.

    Raises:
        InputError: a source has another content than its digest says.
        OSError: the archive cannot be written, or a source cannot be read.
    """
    with replacing(path) as stream, zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
        for member in members:
            _write(archive, member)


def _write(archive: zipfile.ZipFile, member: Member) -> None:
    info = zipfile.ZipInfo(member.name, _EPOCH)
    info.create_system = _UNIX
    if member.link:
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, member.link.encode())
        return
    info.external_attr = (stat.S_IFREG | (0o755 if member.executable else 0o644)) << 16
    if member.source is None:
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, member.data)
        return
    with member.source.open("rb") as stream:
        info.file_size = member.source.stat().st_size
        info.compress_type = _compression(stream, info.file_size)
        if info.file_size > _LARGE:
            info._compresslevel = _QUICK  # type: ignore[attr-defined]  # public as compress_level since 3.13
        digest = hashlib.sha256()
        with archive.open(info, "w", force_zip64=info.file_size > 1 << 31) as target:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                target.write(chunk)
    if member.sha256 and digest.hexdigest() != member.sha256:
        raise InputError(
            f"{member.what or member.name} is damaged: {member.source} does not have its recorded content.",
            hint="Run: envfreeze store verify --repair",
        )


def _compression(stream: IO[bytes], size: int) -> int:
    places = (0, size // 2, size - _SAMPLE) if size > 3 * _SAMPLE else (0,)
    before = after = 0
    for at in places:
        stream.seek(at)
        sample = stream.read(_SAMPLE)
        before += len(sample)
        after += len(zlib.compress(sample, 1))
    stream.seek(0)
    return zipfile.ZIP_DEFLATED if after < before * _WORTH else zipfile.ZIP_STORED

"""Whether a wheel is what is installed: its RECORD, the installed RECORD, and the files on disk.

Three things are held against each other (PEP 376, PEP 427): the digests that the wheel's own RECORD gives,
those of the RECORD that the installer left, and the files as they are now. A file is read again only when it
has another size or was touched after its RECORD was written, by the time of its content or of its inode: the
time of an inode (``st_ctime``) cannot be set, so copying an old file over it does not hide an edit. When an
environment was copied as a whole, all that this touched is read once, and the answer is remembered.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import os
import zipfile
from pathlib import Path
from typing import IO, Any, NamedTuple

from envfreeze.files import chunks, in_parallel
from envfreeze.probes._kept import keep, recall

_OF_THE_INSTALLER = (
    ".dist-info/INSTALLER",
    ".dist-info/REQUESTED",
    ".dist-info/direct_url.json",
    ".dist-info/uv_build.json",
    ".dist-info/uv_cache.json",
)
"""What installers add and other tools may rewrite (PEP 376, PEP 610): no wheel has it."""
_OF_THE_ARCHIVE = ("RECORD.jws", "RECORD.p7s")
"""Signatures of RECORD, which installers leave out (PEP 427)."""


class Change(NamedTuple):
    """A file that is not as it was installed."""

    name: str
    """As in RECORD, with ``/``."""
    gone: bool


def wheel_record(wheel: IO[bytes]) -> str:
    """Text of the RECORD in a wheel, of which only the end is read where that can be.

    Raises:
        OSError: it is no wheel, or cannot be read.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.count("/") == 1 and name.endswith(".dist-info/RECORD"):
                    return archive.read(name).decode("utf-8")
    except (zipfile.BadZipFile, UnicodeDecodeError, RuntimeError, NotImplementedError) as error:
        raise OSError(str(error) or type(error).__name__) from error
    raise OSError("it has no RECORD")


def installed_record(dist_info: str) -> str:
    """Text of the installed RECORD; empty when there is none (conda, system packages, egg-info)."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path(dist_info, "RECORD").read_text(encoding="utf-8")
    return ""


def installed_size(dist_info: str) -> int:
    """Bytes of a distribution's files by its installed RECORD (PEP 376); 0 when it does not say."""
    rows = csv.reader(installed_record(dist_info).splitlines())
    return sum(int(row[2]) for row in rows if len(row) == 3 and row[2].isdecimal())


def is_installed_from(offered: str, installed: str) -> bool | None:
    """True when the installed RECORD has all files of the wheel's with the same digest; None when unknown.

    Files below ``.data/`` go to other places and may be changed on the way (PEP 427), so they do not count.
    """
    if not offered or not installed:
        return None
    lines = installed.splitlines()
    missing = set(offered.splitlines()).difference(lines)
    if not missing:
        return True
    wanted, present = digests("\n".join(missing)), digests(installed)
    if not digests(offered):
        return None
    return all(
        present.get(name) == digest
        for name, digest in wanted.items()
        if ".data/" not in name and not name.startswith(("..", "/")) and not name.endswith(_OF_THE_ARCHIVE)
    )


def digests(record: str) -> dict[str, str]:
    """Path and digest of each line that has one."""
    found = {}
    for row in csv.reader(record.splitlines()):
        if len(row) == 3 and row[1]:
            found[row[0].removeprefix("./")] = row[1]
    return found


def changes(facts: dict[str, Any], record: str) -> tuple[Change, ...]:
    """Files of a distribution that are not what its RECORD says; ``facts`` as in ``Target.facts``.

    Scripts do not count: installers and the tools that move environments rewrite their first lines.

    Raises:
        OSError: a file cannot be read.
    """
    location = facts["location"]
    written = Path(facts["path"], "RECORD").stat()
    gone, suspects, states = [], [], []
    for row in csv.reader(record.splitlines()):
        if len(row) != 3 or not row[1] or row[0].endswith(_OF_THE_INSTALLER):
            continue
        path = f"{location}/{row[0]}"
        if row[0].startswith("../") and row[0].endswith(f"/bin/{Path(row[0]).name}"):
            continue
        try:
            now = os.stat(path)  # noqa: PTH116 - tens of thousands of files: a Path for each costs more than it
        except FileNotFoundError:
            gone.append(row[0])
            continue
        newer = now.st_mtime_ns > written.st_mtime_ns or now.st_ctime_ns > written.st_ctime_ns
        if newer or (row[2].isdigit() and int(row[2]) != now.st_size):
            suspects.append((row[0], path, row[1]))
            states.append((row[1], now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns))
    changed = _changed(suspects, ("changes", facts["path"], repr(states)))
    found = [Change(name, gone=False) for name in changed] + [Change(name, gone=True) for name in gone]
    return tuple(sorted(found))


def _changed(suspects: list[tuple[str, str, str]], key: tuple[str, ...]) -> list[str]:
    """Names whose content has another digest; the answer is kept for as long as nobody touches the files."""
    if not suspects:
        return []
    known = recall(list[str], *key)
    if known is None:
        same = in_parallel(_is_same, ((path, digest) for _, path, digest in suspects), workers=2)
        known = [name for (name, _, _), unchanged in zip(suspects, same, strict=True) if not unchanged]
        keep(known, *key)
    return known


def _is_same(file: tuple[str, str]) -> bool:
    """Whether a file has the digest that RECORD gives; one of an unknown algorithm is believed."""
    path, recorded = file
    algorithm, _, wanted = recorded.partition("=")
    if algorithm not in hashlib.algorithms_guaranteed or algorithm.startswith("shake"):
        return True
    digest = hashlib.new(algorithm)
    with open(path, "rb") as stream:  # noqa: PTH123 - names that are not valid UTF-8
        for chunk in chunks(stream):
            digest.update(chunk)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode() == wanted.rstrip("=")

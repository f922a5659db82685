"""Files of the system that travel with an environment, as one archive that ``ADD`` unpacks in an image."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from envfreeze import files
from envfreeze.errors import InputError
from envfreeze.records.environment import System
from envfreeze.records.files import FileEntry
from envfreeze.store import Store

NAME = "system.tar"
"""In the build folder; there only when there are such files."""

_OF_THE_KERNEL = ("/proc/", "/sys/", "/dev/")


def to_install(system: System) -> tuple[FileEntry, ...]:
    """The recorded ones, when their paths are ones that an image can have.

    Raises:
        InputError: one is not absolute, is the kernel's, or stands for a folder of the system.
    """
    for entry in system.files:
        if (
            not entry.path.startswith("/")
            or entry.path.startswith(_OF_THE_KERNEL)
            or entry.path.count("/") < 2
        ):
            raise InputError(
                f"{entry.path!r} among the lock's files of the system cannot be put into an image.",
                hint="Restore envfreeze.lock from version control, or freeze again.",
            )
    return tuple(sorted(system.files, key=lambda entry: (entry.link is not None, entry.path)))


def write(entries: Sequence[FileEntry], store: Store, folder: Path) -> None:
    """Make ``folder`` hold the archive of these entries, the same bytes for the same entries, or none.

    Raises:
        InputError: a content is missing from the store or damaged there.
        OSError: the folder cannot be written.
    """
    target = folder / NAME
    if not entries:
        target.unlink(missing_ok=True)
        return
    with files.replacing(target) as stream:
        _pack(entries, store, stream)


def _pack(entries: Sequence[FileEntry], store: Store, stream: IO[bytes]) -> None:
    """Without folders, so that no link in an image (``/lib``) is replaced by one."""
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member, source in _members(entries, store):
            if source is None:
                archive.addfile(member)
            else:
                with source.open("rb") as content:
                    archive.addfile(member, content)


def _members(entries: Sequence[FileEntry], store: Store) -> Iterator[tuple[tarfile.TarInfo, Path | None]]:
    for entry in entries:
        member = tarfile.TarInfo(_merged(entry.path))
        member.mode = 0o755 if entry.executable else 0o644
        if entry.link is not None:
            member.type, member.linkname = tarfile.SYMTYPE, entry.link
            yield member, None
        else:
            source = store.verified(str(entry.sha256), what=entry.path)
            member.size = source.stat().st_size
            yield member, source


def _merged(path: str) -> str:
    """Relative to the root; ``/lib`` is a link in images of today (Debian's merged ``/usr``)."""
    return f"usr{path}" if path.startswith(("/lib/", "/lib64/")) else path.lstrip("/")

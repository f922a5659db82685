"""``unpack``: from a bundle to a folder, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from envfreeze.bundle.layout import SUMS
from envfreeze.bundle.reading import Reader
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.files import clear_litter, stop_if_told, sync_directory, unfinished
from envfreeze.progress import Progress
from envfreeze.records.artifact import Bundle

RESERVE = 64 << 20
"""Bytes of the disk that stay free."""


def unpack(path: Path, folder: Path, *, progress: Progress) -> Bundle:
    """Unpack a bundle into a new folder; nothing appears there before all of it was checked.

    Raises:
        InputError: the bundle is damaged or hostile, or the folder is there already.
        EnvironmentFailure: the disk has no room for it.
        OSError: the folder cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} is there already.", hint="Give another folder: envfreeze unpack BUNDLE FOLDER"
        )
    with Reader(path) as reader:
        bundle = reader.manifest()
        parent = folder.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        if reader.size + RESERVE > shutil.disk_usage(parent).free:
            raise EnvironmentFailure(
                f"{path.name} unpacks to {reader.size} bytes, for which {parent} has no room.",
                hint="Free some space, or unpack elsewhere.",
            )
        progress.step(f"unpacking {path.name}")
        clear_litter(parent)
        partly = Path(tempfile.mkdtemp(prefix=unfinished(folder), suffix=".tmp", dir=parent))
        try:
            _extract(reader, partly)
            partly.chmod(0o755)
            if folder.is_dir():
                folder.rmdir()
            partly.rename(folder)
        except BaseException:
            shutil.rmtree(partly, ignore_errors=True)
            raise
        sync_directory(parent)
    return bundle


def _extract(reader: Reader, root: Path) -> None:
    """Names were checked to be plain, and nothing but this process writes into the new folder."""
    for name, info in reader.files.items():
        stop_if_told()
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o755 if (info.external_attr >> 16) & 0o100 else 0o644
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as stream:
            for chunk in reader.chunks(name):
                stream.write(chunk)
    for link in reader.links.values():
        place = root / link.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(link.target)


def is_bundle(path: Path) -> bool:
    """Whether a file looks like one: a zip file with digests in it."""
    import zipfile

    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            if stream.read(4) != b"PK\x03\x04":
                return False
        with zipfile.ZipFile(path) as archive:
            return SUMS in archive.NameToInfo
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False

"""Data that a lock knows by digest only: found where it lay or where the user says, and checked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from envfreeze.errors import InputError
from envfreeze.records.files import FileEntry
from envfreeze.records.run import Mounted
from envfreeze.snapshot import Taken, take
from envfreeze.store import Store

PLACE = "/envfreeze/data"
"""Where a replay sees such data, read-only; links lead there from the recorded paths."""
MOST_MOUNTED = 500
"""Single files; container engines and bubblewrap take not many more."""


class Provided(NamedTuple):
    """The files of a job with links in place of referenced data, and what these lead to."""

    files: tuple[FileEntry, ...]
    mounts: tuple[Mounted, ...]


def provide(
    entries: Sequence[FileEntry], store: Store, *, project: str, folder: Path | str | None
) -> Provided:
    """Find all referenced data among ``entries`` and hold it against the recorded digests.

    Args:
        project: the recorded project folder, that relative paths were below.
        folder: given by the user: the data lies in it, under any of the ends of the recorded paths.

    Raises:
        InputError: something is not there, is not what was recorded, or is too much to mount one by one.
    """
    referenced = [entry for entry in entries if entry.origin is not None]
    if folder is not None and not Path(folder).is_dir():
        raise InputError(f"--data {folder}: there is no such folder.")
    given = Path(folder).resolve() if folder is not None else None
    found = [_find(entry, store.root.parent, project, given) for entry in referenced]
    _check(referenced, found, store)
    links: dict[str, str] = {}
    mounts: dict[str, Mounted] = {}
    for number, (entry, here) in enumerate(zip(referenced, found, strict=True)):
        real = Path(os.path.realpath(here))
        if given is not None and real.is_relative_to(given):
            mounts[str(given)] = Mounted(source=str(given), path=f"{PLACE}/given")
            links[entry.path] = f"{PLACE}/given/{real.relative_to(given)}"
        else:
            place = f"{PLACE}/{number}/{PurePosixPath(entry.path).name}"
            mounts[entry.path] = Mounted(source=str(real), path=place)
            links[entry.path] = place
    if len(mounts) > MOST_MOUNTED:
        raise InputError(
            f"{len(mounts)} data files were recorded by digest only, too many to be mounted one by one.",
            hint="Give the folder that they all lie in: envfreeze replay --data FOLDER",
        )
    files = tuple(
        FileEntry(path=entry.path, link=links[entry.path], kind=entry.kind) if entry.path in links else entry
        for entry in entries
    )
    return Provided(files, tuple(mounts.values()))


def _find(entry: FileEntry, here: Path, project: str, given: Path | None) -> str:
    places = list(_places(entry, here, project, given))
    for place in places:
        if place.is_file() and place.stat().st_size == entry.size:
            return str(place)
    wrong = next((place for place in places if place.is_file()), None)
    if wrong is not None:
        raise InputError(
            f"{wrong} is not the data that was recorded as {entry.path}: "
            f"it has {wrong.stat().st_size} bytes instead of {entry.size}."
        )
    where = f"in {given}" if given is not None else f"at {places[-1]}"
    raise InputError(
        f"the data file {entry.path} was recorded by digest only, and is not {where} "
        f"(it came from: {entry.origin}).",
        hint="Give the folder that holds it: envfreeze replay --data FOLDER",
    )


def _places(entry: FileEntry, here: Path, project: str, given: Path | None) -> Iterator[Path]:
    recorded = Path(project, entry.path)
    if given is None:
        if not entry.path.startswith("/"):
            yield here / entry.path
        yield recorded
        return
    parts = recorded.parts[1:]
    for start in range(len(parts)):
        yield given.joinpath(*parts[start:])


def _check(entries: Sequence[FileEntry], found: Sequence[str], store: Store) -> None:
    now = take(found, store, kept=lambda path, size: False)
    for entry, here, item in zip(entries, found, now, strict=True):
        if not isinstance(item, Taken):
            raise InputError(f"the data file {here} cannot be used: {item.why}.")
        if item.digest != entry.sha256:
            raise InputError(
                f"{here} is not the data that was recorded as {entry.path}: its sha256 is "
                f"{item.digest[:12]}… instead of {str(entry.sha256)[:12]}….",
                hint="Give a folder with the recorded data: envfreeze replay --data FOLDER",
            )


def source_of_mount(path: str, mounts: Sequence[Mounted]) -> str | None:
    """Where on this machine the data lies that a job sees at ``path``; None when it is no mount's."""
    for mount in mounts:
        if path == mount.path or path.startswith(f"{mount.path}/"):
            return mount.source + path[len(mount.path) :]
    return None

"""Where a job's files lie in a container: which folders become volumes, and which cannot."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from envfreeze.records.files import FileEntry
from envfreeze.records.run import Job

WORKSPACE = "/workspace"
"""The project's place when its own would hide the image's system."""

HOME = "/home/envfreeze"
"""The home folder, unless files were recorded below the original one."""

_ESSENTIAL = (
    "/bin",
    "/dev/shm",  # noqa: S108
    "/etc/passwd",
    "/lib",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/sbin",
    "/usr/share",
    "/var/lib",
    "/opt/conda",
    "/opt/pypy",
)
"""Nothing may be mounted over these or their parents; most are of the Filesystem Hierarchy Standard 3.0."""

_CLOSED = (
    "/bin",
    "/dev",
    "/lib",
    "/lib64",
    "/opt/conda",
    "/opt/pypy",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/sbin",
    "/usr/share",
)
"""Nor below these."""


class Layout(NamedTuple):
    """What is mounted where, all paths absolute and as the command sees them."""

    project: str
    directory: str
    folders: tuple[str, ...]
    """Writable folders, none in another: outputs are looked for in these."""
    made: tuple[str, ...]
    """All folders that have to be there, those in others too."""
    volumes: tuple[str, ...]
    """What is mounted so that they are there."""
    temporary: tuple[str, ...]
    """Folders in memory, for what programs drop."""
    files: dict[str, FileEntry]
    """The job's files by absolute path."""
    notes: tuple[str, ...]


def layout(job: Job) -> Layout:
    """Decide where everything goes.

    ``/root`` is closed to others in Debian's and Alpine's images; a volume in its place is not.
    """
    notes = []
    project = posixpath.normpath(job.project)
    directory = posixpath.normpath(job.directory)
    if not _may_be_mounted(project):
        notes.append(f"the project lay at {project}, where the image's own system is; here it is {WORKSPACE}")
        inside = directory == project or directory.startswith(project.rstrip("/") + "/")
        directory = posixpath.normpath(posixpath.join(WORKSPACE, posixpath.relpath(directory, project)))
        directory = directory if inside else WORKSPACE
        project = WORKSPACE
    files = {posixpath.join(project, entry.path): entry for entry in job.files}
    outside = {posixpath.dirname(path) for path in files if not _within(path, project)}
    expected = (posixpath.join(project, folder) for folder in job.folders)
    wanted = {project, directory, *expected, *map(posixpath.normpath, job.writable), *outside}
    wanted = {folder for folder in wanted if _may_be_mounted(folder)}
    out_of_sight = [entry for entry in job.system if _is_hidden(entry.path, wanted)]
    files = {entry.path: entry for entry in out_of_sight} | files
    wanted |= {posixpath.dirname(entry.path) for entry in out_of_sight}
    folders = tuple(sorted(_outermost(wanted)))
    hidden = sorted(path for path in files if not any(_within(path, folder) for folder in folders))
    if hidden:
        notes.append(f"the image's own files are used instead of: {', '.join(hidden[:5])}")
    if not any(directory == folder or _within(directory, folder) for folder in folders):
        notes.append(f"{directory} is the image's own folder and cannot be written to")
    volumes = tuple(sorted({"/root" if _within(folder, "/root") else folder for folder in folders}))
    return Layout(
        project=project,
        directory=directory,
        folders=folders,
        made=tuple(sorted(wanted)),
        volumes=volumes,
        temporary=() if "/tmp" in folders else ("/tmp",),  # noqa: S108
        files={path: _led(path, entry, volumes) for path, entry in files.items() if path not in hidden},
        notes=tuple(notes),
    )


def _is_hidden(path: str, folders: Iterable[str]) -> bool:
    """True when a file of the image is out of sight, below what is mounted over it."""
    return any(_within(path, folder) for folder in (*folders, "/tmp", HOME))  # noqa: S108


def _led(path: str, entry: FileEntry, volumes: Iterable[str]) -> FileEntry:
    """A relative link that leads out of its volume becomes absolute: the engine refuses it otherwise."""
    if entry.link is None or entry.link.startswith("/"):
        return entry
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.link))
    if any(_within(path, volume) and (target == volume or _within(target, volume)) for volume in volumes):
        return entry
    return msgspec.structs.replace(entry, link=target)


def home_of(job: Job) -> str:
    """The home folder that the command finds: the recorded one when the job names it."""
    home = posixpath.normpath(job.environment.get("HOME") or HOME)
    return home if _may_be_mounted(home) else HOME


def _may_be_mounted(folder: str) -> bool:
    if not folder.startswith("/") or any(_within(folder, closed) for closed in _CLOSED):
        return folder.startswith("/dev/shm/")  # noqa: S108 - a folder in there, not the mount itself
    return not any(part == folder or _within(part, folder) for part in _ESSENTIAL)


def _within(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _outermost(folders: Iterable[str]) -> set[str]:
    every = set(folders)
    return {folder for folder in every if not any(_within(folder, other) for other in every)}

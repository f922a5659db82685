"""One side of a comparison: files, streams and exit status, gathered from where they lie."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from envfreeze.errors import InputError
from envfreeze.records import runfile
from envfreeze.records.base import Record

LEFT_OUT = frozenset({".git", ".envfreeze"})
"""Folders that are no outputs of anybody."""
OUTSIDE = "@root/"
"""In a recorded run, where the outputs lie that were not below the project folder."""


class Side(Record):
    """One set of outputs."""

    label: str
    """What it is, in words or as a path."""
    files: dict[str, Path] = {}
    """Content by relative path; absolute for an output outside of the project."""
    links: dict[str, str] = {}
    """Target of each symbolic link, by its path."""
    stdout: Path | None = None
    stderr: Path | None = None
    exit_status: int | None = None
    single: bool = False
    """True for one file, which is compared with another file whatever their names."""


def side_of_folder(path: Path) -> Side:
    """A recorded run (a folder that holds a readable ``run.json``), a plain folder, or a single file.

    Raises:
        InputError: it does not exist, or cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            path.open("rb").close()
            return Side(label=str(path), files={path.name: path}, single=True)
        if not stat.S_ISDIR(mode):
            raise InputError(f"{path} is neither a file nor a folder.")
        return _run(path) or _folder(path, str(path))
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else path
        raise InputError(f"{where} cannot be read: {error.strerror}.") from None


def _run(path: Path) -> Side | None:
    """The side of a recorded run; None when the folder is none."""
    try:
        run = runfile.read(path)
    except InputError:
        return None
    return side_of_run(path, str(path), run.exit_status)


def side_of_run(folder: Path, label: str, exit_status: int) -> Side:
    """The outputs of a replay by the paths that its command knew them under, and its streams."""
    outputs = folder / "outputs"
    side = _folder(outputs, label) if outputs.is_dir() else Side(label=label)
    return Side(
        label=label,
        files={_known_as(name): file for name, file in side.files.items()},
        links={_known_as(name): target for name, target in side.links.items()},
        stdout=_if_file(folder / "stdout"),
        stderr=_if_file(folder / "stderr"),
        exit_status=exit_status,
    )


def _known_as(name: str) -> str:
    return "/" + name.removeprefix(OUTSIDE) if name.startswith(OUTSIDE) else name


def _if_file(path: Path) -> Path | None:
    return path if path.is_file() else None


def _folder(path: Path, label: str) -> Side:
    files: dict[str, Path] = {}
    links: dict[str, str] = {}
    for relative, entry in _walk(path, ""):
        if entry.is_symlink():
            links[relative] = os.readlink(entry.path)  # noqa: PTH115 - a name, not a Path
        else:
            files[relative] = Path(entry.path)
    return Side(label=label, files=files, links=links)


def _walk(folder: Path | str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Files and symbolic links; sockets, pipes and devices have no content to compare."""
    for entry in sorted(os.scandir(os.fspath(folder)), key=lambda found: found.name):
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in LEFT_OUT:
                yield from _walk(entry.path, f"{prefix}{entry.name}/")
        elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
            yield prefix + entry.name, entry

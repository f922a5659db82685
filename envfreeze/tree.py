"""What lies in a project folder: a quick scan, and which folders are nobody's input or output."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from envfreeze.store import FOLDER

IGNORED_FOLDERS = frozenset(
    {
        FOLDER,
        ".git",
        ".hg",
        ".svn",
        "__pycache__",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".nox",
        "node_modules",
    }
)
"""Folders of tools: caches and version control, never a result."""

ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
"""A folder that holds one of these is an environment (PEP 405, conda): the lock's packages describe it."""

OWN_FILES = frozenset({"envfreeze.lock", "Dockerfile", "Dockerfile.envfreeze", ".dockerignore"})
"""Files at the top of the project that envfreeze itself writes."""


class Stat(NamedTuple):
    """What changes when a file is written: size in bytes, times in nanoseconds, inode, and whether a link."""

    size: int
    mtime: int
    ctime: int
    inode: int
    link: bool


def scan(project: Path) -> dict[str, Stat]:
    """Every file and symbolic link below ``project``, by relative path, without the ignored folders.

    Sockets, pipes and devices are left out; a folder that cannot be read counts as empty.
    """
    return dict(_walk(os.fspath(project), ""))


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, Stat]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    if prefix and any(entry.name in ENVIRONMENT_MARKS for entry in entries):
        return
    for entry in entries:
        relative = prefix + entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in IGNORED_FOLDERS:
                    yield from _walk(entry.path, relative + "/")
                continue
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        is_link = stat.S_ISLNK(status.st_mode)
        if (is_link or stat.S_ISREG(status.st_mode)) and relative not in OWN_FILES:
            yield (
                relative,
                Stat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, is_link),
            )


def changed(before: dict[str, Stat], after: dict[str, Stat]) -> list[str]:
    """Paths that are new or were written between two scans, in order."""
    return [path for path, status in after.items() if before.get(path) != status]


def is_ignored(path: str) -> bool:
    """True for a relative path inside one of the ignored folders."""
    return any(part in IGNORED_FOLDERS for part in path.split("/")[:-1])

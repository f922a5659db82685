"""Which files count as outputs, and the record of them."""

from __future__ import annotations

import functools
import glob
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from envfreeze import tree
from envfreeze.files import in_parallel
from envfreeze.observer.sensitive import looks_secret
from envfreeze.records.files import FileEntry, Gap
from envfreeze.store import Store


def matches(path: str, patterns: Sequence[str]) -> bool:
    """True when a path counts as an output by the patterns of ``normalized``.

    A path of the project is relative, another one absolute. ``*`` and ``?`` stay within a folder, ``**``
    spans folders, ``[…]`` is a set; a pattern that names a folder means all below it. Patterns outside the
    project add to its outputs without narrowing them.
    """
    outside = path.startswith("/")
    applicable = [pattern for pattern in patterns if pattern.startswith("/") == outside]
    if not applicable:
        return not outside
    return any(_expression(pattern).match(path) for pattern in applicable)


def normalized(patterns: Sequence[str], project: Path) -> tuple[str, ...]:
    """Patterns relative to the project where they lie inside of it, absolute otherwise."""
    root = os.path.normpath(project)
    found = []
    for pattern in patterns:
        whole = os.path.normpath(os.path.join(root, os.path.expanduser(pattern)))  # noqa: PTH118, PTH111
        inside = whole == root or whole.startswith(root.rstrip("/") + "/")
        relative = os.path.relpath(whole, root) if inside else whole
        found.append("**" if relative == "." else relative)
    return tuple(found)


@functools.cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = []
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|.", pattern, re.DOTALL):
        if piece == "**/":
            parts.append("(?:.*/)?")
        elif piece == "**":
            parts.append(".*")
        elif piece == "*":
            parts.append("[^/]*")
        elif piece == "?":
            parts.append("[^/]")
        elif len(piece) > 2 and piece[0] == "[":
            negated = piece[1] == "!"
            members = piece[2 if negated else 1 : -1].replace("\\", r"\\").replace("[", r"\[")
            members = members.replace("]", r"\]").replace("^", r"\^").replace("&", r"\&").replace("~", r"\~")
            parts.append(f"(?!/)[{'^' if negated else ''}{members}]")
        else:
            parts.append(re.escape(piece))
    try:
        return re.compile("".join(parts) + r"(?:/.*)?\Z", re.DOTALL)
    except re.error:  # a set such as [z-a]: taken literally
        return re.compile(re.escape(pattern) + r"(?:/.*)?\Z", re.DOTALL)


def scan_outside(patterns: Sequence[str]) -> dict[str, tree.Stat]:
    """What absolute patterns match at this moment, by absolute path."""
    found: dict[str, tree.Stat] = {}
    for pattern in patterns:
        if not pattern.startswith("/"):
            continue
        for match in glob.iglob(pattern, recursive=True, include_hidden=True):  # noqa: PTH207
            path = Path(match)
            if path.is_dir() and not path.is_symlink():
                below = tree.scan(path)
                found |= {os.path.normpath(f"{match}/{name}"): status for name, status in below.items()}
            elif status := _status(path):
                found[os.path.normpath(match)] = status
    return found


def _status(path: Path) -> tree.Stat | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    link = path.is_symlink()
    if not link and not path.is_file():
        return None
    return tree.Stat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, link)


def store_files(
    paths: Iterable[str], project: Path, store: Store, *, what: str
) -> tuple[list[FileEntry], list[Gap]]:
    """Take the present content of files; what cannot or must not be stored becomes a gap.

    Args:
        paths: relative to the project, or absolute.
        what: what they are to the run, for the gap's words.

    Raises:
        OSError: the store cannot be written.
    """

    def one(path: str) -> FileEntry | Gap:
        here = f"{project}/{path}" if not path.startswith("/") else path
        if looks_secret(path):
            why = "its name says that it holds a secret, so it is not stored"
            return Gap(what=f"{what} {printable(path)}", why=why)
        return entry_of(path, here, store) or Gap(
            what=f"{what} {printable(path)}", why="it could not be read after the run"
        )

    found = in_parallel(one, list(paths))
    entries = [item for item in found if isinstance(item, FileEntry)]
    return entries, [item for item in found if isinstance(item, Gap)]


def entry_of(path: str, here: str, store: Store) -> FileEntry | None:
    """The record of one file or link whose content lies at ``here``; None when that cannot be read."""
    try:
        if os.path.islink(here):  # noqa: PTH114 - names that are not valid UTF-8
            return FileEntry(path=path, link=os.readlink(here))  # noqa: PTH115
        stream = open(here, "rb")  # noqa: PTH123, SIM115
    except OSError:
        return None
    with stream:
        digest, size = store.add_stream(stream)
        executable = bool(os.fstat(stream.fileno()).st_mode & 0o100)
    return FileEntry(path=path, size=size, sha256=digest, executable=executable)


def printable(path: str) -> str:
    """A path as valid text: bytes that are not UTF-8 are shown as question marks."""
    return path.encode(errors="replace").decode()

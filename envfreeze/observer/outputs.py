"""Which files count as outputs, and the record of them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze import tree
from envfreeze.observer.classes import Classes, plain
from envfreeze.observer.patterns import matches_one
from envfreeze.records.files import FileEntry, Gap
from envfreeze.snapshot import UNREADABLE, Missed, take
from envfreeze.store import Store

if TYPE_CHECKING:
    from envfreeze.observer.reference import Referenced


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
    return any(matches_one(path, pattern) for pattern in applicable)


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
    paths: Iterable[str],
    project: Path | str,
    store: Store,
    *,
    what: str,
    classes: Classes | None = None,
    referenced: Referenced | None = None,
    follow: bool = False,
) -> tuple[list[FileEntry], list[Gap]]:
    """Take the present content of files; what cannot or must not be stored becomes a gap.

    Args:
        paths: relative to the project, or absolute.
        what: what they are to the run, for the gap's words.
        classes: the project's rules of what is a secret; by default the shipped ones.
        follow: take what a link leads to, instead of the link.
        referenced: which of them are recorded by digest and origin alone; None for none.

    Raises:
        OSError: the store cannot be written.
    """
    entries: list[FileEntry] = []
    gaps: list[Gap] = []
    files: dict[str, str] = {}
    is_secret = (classes or plain()).is_secret

    def gap(path: str, why: str) -> None:
        gaps.append(Gap(what=f"{what} {printable(path)}", why=why))

    for path in paths:
        here = f"{project}/{path}" if not path.startswith("/") else path
        if is_secret(path):
            gap(path, "its name says that it holds a secret, so it is not stored")
        elif not follow and os.path.islink(here):  # noqa: PTH114 - names that are not valid UTF-8
            try:
                entries.append(FileEntry(path=path, link=os.readlink(here)))  # noqa: PTH115
            except OSError:
                gap(path, UNREADABLE.why)
        else:
            files[here] = path

    def origin(here: str, size: int) -> str | None:
        return referenced.origin(files[here], here, size) if referenced else None

    found = take(list(files), store, kept=lambda here, size: origin(here, size) is None)
    for (here, path), item in zip(files.items(), found, strict=True):
        if isinstance(item, Missed):
            gap(path, item.why)
        else:
            entries.append(
                FileEntry(
                    path=path,
                    size=item.size,
                    sha256=item.digest,
                    executable=item.executable,
                    origin=origin(here, item.size),
                )
            )
    return entries, gaps


def printable(path: str) -> str:
    """A path as valid text: bytes that are not UTF-8 are shown as question marks."""
    return path.encode(errors="replace").decode()

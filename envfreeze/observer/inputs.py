"""Which files of the project the run read, and their content as it was before the run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from envfreeze import tree
from envfreeze.observer.events import Events
from envfreeze.observer.outputs import printable, store_files
from envfreeze.records.files import FileEntry, Gap
from envfreeze.store import Store

if TYPE_CHECKING:
    from envfreeze.observer.classes import Classes
    from envfreeze.observer.reference import Referenced

LARGEST_POSSIBLY_READ = 1 << 20
"""Bytes: a larger file is recorded only when something said that it was read."""
MOST_NAMED = 20
"""Gaps of one kind that name a file each; the rest is counted."""
_MOST_LINKS = 40  # Linux gives up there too: path_resolution(7)


class Snapshot(NamedTuple):
    """The project at one moment; paths are relative to it."""

    files: dict[str, tree.Stat]
    links: dict[str, str]
    """Targets of symbolic links."""
    folders: frozenset[str]


def take_snapshot(project: Path) -> Snapshot:
    """What lies in the project now."""
    files = tree.scan(project)
    links = {path: os.readlink(f"{project}/{path}") for path, status in files.items() if status.link}  # noqa: PTH115
    return Snapshot(files, links, frozenset(_folders(os.fspath(project), "")))


def _folders(folder: str, prefix: str) -> Iterable[str]:
    try:
        entries = [entry for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for entry in entries:
        if entry.name not in tree.IGNORED_FOLDERS:
            yield prefix + entry.name
            yield from _folders(entry.path, f"{prefix}{entry.name}/")


class Locator:
    """Turns absolute paths into paths of the project, following the links that it had before the run."""

    def __init__(self, project: Path, before: Snapshot) -> None:
        self._roots = tuple(dict.fromkeys((os.fspath(project), os.path.realpath(project))))
        self._before = before

    def relative(self, path: str) -> str | None:
        """The path below the project, or None when it lies outside; links are not followed."""
        for root in self._roots:
            if path.startswith(root.rstrip("/") + "/"):
                return path[len(root.rstrip("/")) + 1 :]
        return None

    def resolve(self, path: str) -> tuple[list[str], str]:
        """The project's links that lead to an absolute path, and the path in the end.

        The result is relative to the project, or absolute when it lies outside.
        """
        links: list[str] = []
        while (relative := self.relative(path)) is not None:
            link = next((part for part in _leading(relative) if part in self._before.links), None)
            if link is None or len(links) >= _MOST_LINKS:
                return links, relative
            links.append(link)
            target = os.path.join(self._roots[0], os.path.dirname(link), self._before.links[link])  # noqa: PTH118, PTH120
            path = os.path.normpath(target + relative[len(link) :])
        return links, path


def _leading(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:length]) for length in range(1, len(parts) + 1))


class Reads(NamedTuple):
    """What a run read."""

    inside: set[str]
    """Files and links of the project that were there before the run."""
    outside: set[str]
    """Absolute paths elsewhere."""


def what_was_read(events: Events, named: Iterable[str], locator: Locator, before: Snapshot) -> Reads:
    """Sort what was opened by whether it lies in the project; ``named`` are absolute paths read in any case.

    A file that the run overwrote before it first read it tells nothing of the state before, and is left out.
    """
    written = _normalized(events.written)
    never = float("inf")
    read = [path for path, when in _normalized(events.read).items() if when <= written.get(path, never)]
    inside: set[str] = set()
    outside: set[str] = set()
    for path in (*read, *named):
        links, end = locator.resolve(path)
        inside.update(links)
        if end.startswith("/"):
            outside.add(end)
        elif end in before.files:
            inside.add(end)
    return Reads(inside, outside)


def _normalized(times: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for path, when in times.items():
        path = os.path.normpath(path)
        found[path] = min(when, found.get(path, when))
    return found


def named_in_command(command: Sequence[str], directory: Path) -> list[str]:
    """Absolute paths that the words of a command may mean, ``--option=path`` included."""
    words = [*command, *(word.split("=", 1)[1] for word in command if "=" in word)]
    return [os.path.normpath(directory / word) for word in words if word and "\0" not in word]


def possibly_read(before: Snapshot, after: Snapshot) -> tuple[set[str], int]:
    """Files that an untraced program may have read, and how many are left out because they are large."""
    unchanged = {path for path, status in before.files.items() if after.files.get(path) == status}
    small = {path for path in unchanged if before.files[path].size <= LARGEST_POSSIBLY_READ}
    return small, len(unchanged) - len(small)


def store_inputs(
    paths: set[str],
    before: Snapshot,
    after: Snapshot,
    kept: Path,
    project: Path,
    store: Store,
    *,
    classes: Classes | None = None,
    referenced: Referenced | None = None,
) -> tuple[list[FileEntry], list[Gap]]:
    """Take the content that files had before the run.

    Args:
        paths: members of ``before``.
        kept: folder of the copies that the agents made before files were overwritten.
        classes: the project's rules of what is a secret.
        referenced: which files are recorded by digest and origin alone.

    Raises:
        OSError: the store cannot be written.
    """
    unchanged = sorted(path for path in paths if after.files.get(path) == before.files[path])
    entries, gaps = store_files(
        unchanged, project, store, what="the file", classes=classes, referenced=referenced
    )
    lost: list[str] = []
    for path in sorted(paths.difference(unchanged)):
        if path in before.links:
            entries.append(FileEntry(path=path, link=before.links[path]))
        elif not _is_the_state_before(f"{kept}/{path}", before.files[path]):
            lost.append(path)
        else:
            found, more = store_files([path], kept, store, what="the file", classes=classes)
            entries += [_with_mode(entry, project) for entry in found]
            gaps += more
    return entries, gaps + lost_states(lost)


def _with_mode(entry: FileEntry, project: Path) -> FileEntry:
    """Copies have no execute bit: take it from the file that took the place."""
    if not os.access(f"{project}/{entry.path}", os.X_OK):
        return entry
    return msgspec.structs.replace(entry, executable=True)


def _is_the_state_before(copy: str, status: tree.Stat) -> bool:
    try:
        found = os.lstat(copy)
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) == (status.size, status.mtime)


def overwritten_unseen(events: Events, before: Snapshot, after: Snapshot, locator: Locator) -> list[str]:
    """Files that something other than a Python changed or removed, so that no copy was made."""
    by_python = {locator.resolve(path)[1] for path in _normalized(events.written)}
    changed = (path for path, status in before.files.items() if after.files.get(path) != status)
    return [path for path in changed if path not in by_python and path not in before.links]


def lost_states(paths: Sequence[str]) -> list[Gap]:
    """A gap for each file whose content before the run is gone."""
    what = "the earlier content of a file that the run changed"
    return named_gaps(what, list(paths), "was overwritten before it could be copied")


def named_gaps(what: str, names: Sequence[str], why: str = "") -> list[Gap]:
    """One gap a name up to ``MOST_NAMED``, and the number of the others."""
    gaps = [Gap(what=what, why=f"{printable(name)} {why}".strip()) for name in names[:MOST_NAMED]]
    if len(names) > MOST_NAMED:
        gaps.append(Gap(what=what, why=f"and {len(names) - MOST_NAMED} more"))
    return gaps

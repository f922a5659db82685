"""The folder that a replay works in: recorded files are laid out in it, and what the run made is taken out.

Nothing that a lock says leads out of the folder: paths are confined by the record ``FileEntry``, contents are
checked against their digests while they are copied, and links are made last, so that none is followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from envfreeze import tree
from envfreeze.errors import InputError
from envfreeze.files import chunks, in_parallel
from envfreeze.records.files import FileEntry
from envfreeze.snapshot import share_blocks
from envfreeze.store import Store

OUTSIDE = "@root"
"""Folder below the outputs for what was written outside of the project (see ``Engine.run``)."""


class Workspace(NamedTuple):
    """Two folders: the project's files, and as if it were ``/`` those with absolute paths.

    The first may lie in the second, at its recorded path.
    """

    project: Path
    outside: Path

    def place(self, path: str) -> Path:
        """Where a recorded path lies here."""
        return self.outside / path.lstrip("/") if path.startswith("/") else self.project / path


class Snapshot(NamedTuple):
    """All files of a workspace at one moment."""

    project: dict[str, tree.Stat]
    outside: dict[str, tree.Stat]


def scan(workspace: Workspace) -> Snapshot:
    """The present state, which ``collect`` holds against the later one."""
    outside = tree.scan(workspace.outside)
    if workspace.project.is_relative_to(workspace.outside):
        own = f"{workspace.project.relative_to(workspace.outside)}/"
        outside = {path: status for path, status in outside.items() if not path.startswith(own)}
    return Snapshot(tree.scan(workspace.project), outside)


def lay_out(entries: Sequence[FileEntry], workspace: Workspace, store: Store) -> None:
    """Put the recorded files into an empty workspace.

    Raises:
        InputError: a content is missing from the store or damaged, or two entries are in each other's way.
        OSError: the disk is full.
    """
    workspace.project.mkdir(parents=True, exist_ok=True)
    workspace.outside.mkdir(parents=True, exist_ok=True)

    def copy(entry: FileEntry) -> None:
        target = workspace.place(entry.path)
        with _explained(entry):
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy_verified(entry, target, store)

    in_parallel(copy, [entry for entry in entries if entry.sha256 is not None])
    links = [(entry, entry.link) for entry in entries if entry.link is not None]
    places = {workspace.place(entry.path) for entry, _ in links}
    for entry, _ in links:
        target = workspace.place(entry.path)
        if not places.isdisjoint(target.parents):
            raise _in_the_way(entry)
        with _explained(entry):
            target.parent.mkdir(parents=True, exist_ok=True)
    for entry, link in links:
        with _explained(entry):
            workspace.place(entry.path).symlink_to(link)


@contextlib.contextmanager
def _explained(entry: FileEntry) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise _in_the_way(entry) from None


def _in_the_way(entry: FileEntry) -> InputError:
    return InputError(
        f"the recorded file {entry.path} cannot be laid out: another recorded file is in its way.",
        hint="Restore envfreeze.lock from version control, or freeze again.",
    )


def _copy_verified(entry: FileEntry, target: Path, store: Store) -> None:
    assert entry.sha256 is not None
    source = store.path(entry.sha256)
    if not source.is_file():
        store.verified(entry.sha256, what=entry.path)
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("xb") as writer:
        shared = share_blocks(reader.fileno(), writer.fileno())
        for chunk in chunks(reader):
            digest.update(chunk)
            if not shared:
                writer.write(chunk)
        os.fchmod(writer.fileno(), 0o755 if entry.executable else 0o644)
    if digest.hexdigest() != entry.sha256:
        target.unlink()
        store.verified(entry.sha256, what=entry.path)
        raise InputError(f"{entry.path} changed in the store while it was read; try again.")


def collect(workspace: Workspace, before: Snapshot, outputs: Path, *, outside: Sequence[str] = ()) -> None:
    """Move what is new, or was written since ``before``, into ``outputs``; the workspace is spent then.

    A file that was written again with the content it had counts, as it does when a run is frozen. Links are
    moved as links; devices, pipes and sockets are left out. Of what lies outside of the project only that
    below the absolute folders ``outside`` is taken.

    Raises:
        OSError: the disk is full.
    """
    for folder in workspace:
        _open_folders(folder)
    after = scan(workspace)
    moves = [
        (workspace.project / path, outputs / path) for path in tree.changed(before.project, after.project)
    ]
    moves += [
        (workspace.outside / path, outputs / OUTSIDE / path)
        for path in tree.changed(before.outside, after.outside)
        if any(Path("/", path).is_relative_to(folder) for folder in outside)
    ]
    in_parallel(_move, moves)


def _move(paths: tuple[Path, Path]) -> None:
    source, target = paths
    target.parent.mkdir(parents=True, exist_ok=True)
    if not source.is_symlink():
        source.chmod(source.stat().st_mode & 0o777 | 0o600)
    try:
        source.rename(target)
    except OSError:  # another file system
        shutil.copy2(source, target, follow_symlinks=False)


def _open_folders(root: Path) -> None:
    """A command may have closed a folder even to its owner; what is in there is an output all the same."""
    for folder, names, _ in os.walk(root):
        for name in names:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if not path.is_symlink() and mode & 0o700 != 0o700:
                path.chmod(mode & 0o777 | 0o700)

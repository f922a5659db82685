"""Files into and out of containers as tar streams; neither is ever whole in memory or on disk.

What comes out is made by code that nobody vouches for: it is confined to the folder that it is unpacked into.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import posixpath
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from envfreeze import tree
from envfreeze.errors import InputError
from envfreeze.files import CHUNK
from envfreeze.records.files import FileEntry
from envfreeze.store import Store

LAID_OUT = 315_619_200
"""Time of change of all files that are laid out: 2 January 1980, which zip files can hold
(APPNOTE 4.4.6). A file that has another time afterwards was written by the command."""

_BLOCK = tarfile.BLOCKSIZE


def pack(
    root: str,
    folders: Iterable[str],
    files: Mapping[str, FileEntry],
    store: Store,
    *,
    owner: int,
) -> Iterator[bytes]:
    """A tar stream of what lies in ``root``, relative to it, parents before children.

    Args:
        root: absolute; it is given to the owner.
        folders: absolute; those in the root are made, empty ones too.
        files: by absolute path; those in the root are packed.
        owner: numeric user and group of everything.

    Raises:
        InputError: a content is missing from the store or damaged there.
    """
    inside = {path: entry for path, entry in files.items() if _below(path, root)}
    for folder in sorted(_with_parents(root, folders, inside)):
        yield _header(posixpath.relpath(folder, root), tarfile.DIRTYPE, owner, mode=0o755)
    for path, entry in sorted(inside.items(), key=lambda item: (item[1].link is not None, item[0])):
        name = posixpath.relpath(path, root)
        if entry.link is not None:
            yield _header(name, tarfile.SYMTYPE, owner, mode=0o777, link=entry.link)
        else:
            yield from _content(name, entry, store, owner)
    yield bytes(2 * _BLOCK)


def _below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip("/") + "/")


def _with_parents(root: str, folders: Iterable[str], files: Iterable[str]) -> set[str]:
    """The root, and all folders that are needed in it."""
    found = {root}
    for folder in (*folders, *map(posixpath.dirname, files)):
        while folder not in found and _below(folder, root):
            found.add(folder)
            folder = posixpath.dirname(folder)
    return found


def _content(path: str, entry: FileEntry, store: Store, owner: int) -> Iterator[bytes]:
    assert entry.sha256 is not None
    source = store.path(entry.sha256)
    if not source.is_file():
        store.verified(entry.sha256, what=entry.path)
    digest = hashlib.sha256()
    with source.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        yield _header(path, tarfile.REGTYPE, owner, mode=0o755 if entry.executable else 0o644, size=size)
        left = size
        while left and (chunk := stream.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
            yield chunk
    if left or digest.hexdigest() != entry.sha256:
        store.verified(entry.sha256, what=entry.path)
        raise InputError(f"{entry.path} changed in the store while it was read; try again.")
    yield bytes(-size % _BLOCK)


def _header(path: str, kind: bytes, owner: int, *, mode: int, size: int = 0, link: str = "") -> bytes:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size, member.linkname = kind, mode, size, link
    member.uid = member.gid = owner
    member.mtime = LAID_OUT
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


class _Chunks(io.RawIOBase):
    """The bytes of an iterator as a file to read from."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def unpack_outputs(
    chunks: Iterable[bytes],
    root: str,
    given: Mapping[str, FileEntry],
    store: Store,
    destination: Path,
    *,
    skip: Iterable[str] = (),
) -> tuple[str, ...]:
    """Write the files that are new or were written into ``destination``, relative to ``root``.

    Args:
        chunks: the archive of the folder ``root``; its members' names start with that folder's own name.
        given: what was laid out there, by absolute path (see ``pack``).
        skip: absolute folders to leave out, as they are unpacked on their own.

    Returns:
        Sentences on what was left out: links that lead out of the folder, devices.

    Raises:
        OSError: the disk is full.
        tarfile.TarError: the archive ended in its middle.
    """
    outputs = _Outputs(root, given, store, destination, tuple(skip))
    with tarfile.open(
        fileobj=io.BufferedReader(_Chunks(chunks), CHUNK), mode="r|", errors="surrogateescape", bufsize=CHUNK
    ) as archive:
        for member in archive:
            outputs.take(member, archive)
    outputs.make_links()
    return tuple(outputs.notes)


class _Outputs:
    """The state of one unpacking."""

    def __init__(
        self,
        root: str,
        given: Mapping[str, FileEntry],
        store: Store,
        destination: Path,
        skip: tuple[str, ...],
    ) -> None:
        self._root, self._given, self._store = root, given, store
        self._destination, self._skip = destination, skip
        self._links: dict[str, str] = {}
        self.notes: list[str] = []

    def take(self, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        relative = _relative(member.name)
        if relative is None or member.isdir() or self._left_out(relative):
            return
        path = posixpath.join(self._root, relative)
        given = self._given.get(path)
        if member.issym():
            if given is None or given.link != member.linkname:
                self._links[relative] = member.linkname
        elif member.islnk():
            self._hard_link(relative, _relative(member.linkname))
        elif member.isreg():
            stream = archive.extractfile(member)
            assert stream is not None
            self._file(relative, member, stream, given)
        else:
            self.notes.append(f"{path} is a device, pipe or socket, and no output")

    def _left_out(self, relative: str) -> bool:
        path = posixpath.join(self._root, relative)
        return (
            tree.is_ignored(relative)
            or relative in tree.OWN_FILES
            or any(path.startswith(f"{folder}/") for folder in self._skip)
        )

    def _file(
        self, relative: str, member: tarfile.TarInfo, stream: IO[bytes], given: FileEntry | None
    ) -> None:
        unchanged = self._expected(member, given)
        same = 0
        if unchanged is not None:
            with unchanged.open("rb") as original:
                chunk = stream.read(CHUNK)
                while chunk and original.read(len(chunk)) == chunk:
                    same += len(chunk)
                    chunk = stream.read(CHUNK)
            if not chunk:
                return
        target = self._place(relative)
        with target.open("xb") as copy:
            if unchanged is not None:
                with unchanged.open("rb") as original:
                    while (left := same - copy.tell()) > 0:
                        copy.write(original.read(min(CHUNK, left)))
                copy.write(chunk)
            shutil.copyfileobj(stream, copy, CHUNK)
            os.fchmod(copy.fileno(), 0o755 if member.mode & 0o100 else 0o644)

    def _expected(self, member: tarfile.TarInfo, given: FileEntry | None) -> Path | None:
        """The stored content that this member has, unless it was changed and its time put back."""
        if given is None or given.sha256 is None or member.mtime != LAID_OUT:
            return None
        path = self._store.path(given.sha256)
        return path if path.is_file() and path.stat().st_size == member.size else None

    def _hard_link(self, relative: str, first: str | None) -> None:
        """A second name of a file that went by earlier; each name becomes a file of its own."""
        if first is None:
            return
        target = self._place(relative)
        earlier = self._destination / first
        given = self._given.get(posixpath.join(self._root, first))
        if earlier.is_file() and not earlier.is_symlink():
            shutil.copyfile(earlier, target)
        elif given is not None and given.sha256 is not None:
            shutil.copyfile(self._store.verified(given.sha256, what=given.path), target)

    def _place(self, relative: str) -> Path:
        target = self._destination / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def make_links(self) -> None:
        """Links come last, so that no file is written through one."""
        for relative, link in sorted(self._links.items()):
            inside = self._confined(relative, link)
            if inside is None:
                self.notes.append(f"the link {relative} leads out of {self._root}, and is not copied out")
                continue
            with contextlib.suppress(FileExistsError):
                self._place(relative).symlink_to(inside)

    def _confined(self, relative: str, link: str) -> str | None:
        """The link's target relative to the link; None when it is outside.

        ``..`` may only come first: behind a name it could climb out through another link.
        """
        if link.startswith("/"):
            if not posixpath.normpath(link).startswith(self._root.rstrip("/") + "/"):
                return None
            link = posixpath.relpath(link, posixpath.dirname(posixpath.join(self._root, relative)))
        parts = link.split("/")
        climbs = 0
        while climbs < len(parts) and parts[climbs] in {"..", "."}:
            climbs += 1
        ups = parts[:climbs].count("..")
        depth = relative.count("/")
        if ups > depth or ".." in parts[climbs:] or "\0" in link:
            return None
        return link


def _relative(name: str) -> str | None:
    """A member's path below the archive's top folder; None for that folder and for what is not below.

    The first part is that folder's own name, which Podman leaves empty.
    """
    parts = name.removeprefix("./").split("/")
    if ".." in parts or "\0" in name:
        return None
    return "/".join(part for part in parts[1:] if part not in {"", "."}) or None

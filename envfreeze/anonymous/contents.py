"""Stored content rewritten for an anonymous copy, each digest once."""

from __future__ import annotations

import mmap
import os
import shutil
from pathlib import Path

import msgspec

from envfreeze.anonymous.content import rewritten
from envfreeze.anonymous.names import Buffer, Names
from envfreeze.records.files import FileEntry
from envfreeze.store import Store


class Anonymizer:
    """Copies content into another store, with every identity in it replaced."""

    def __init__(self, names: Names, target: Store) -> None:
        self.names = names
        self.target = target
        self._made: dict[str, tuple[str, int]] = {}

    def content(self, source: Path, digest: str) -> tuple[str, int]:
        """Digest and size in bytes of the copy of a content.

        Raises:
            OSError: the source cannot be read, or the copy cannot be written.
        """
        known = self._made.get(digest)
        if known is None:
            made = self._rewritten(source)
            if made is None:
                self._take_over(source, digest)
                known = digest, source.stat().st_size
            else:
                known = self.target.add_bytes(made), len(made)
            self._made[digest] = known
        return known

    def _rewritten(self, source: Path) -> bytes | None:
        with mapped(source) as data:
            return rewritten(self.names, data, source.name)

    def _take_over(self, source: Path, digest: str) -> None:
        """Under the same digest, without a second copy where the disk can."""
        place = self.target.path(digest)
        if place.is_file():
            return
        self.target.create()
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, place)
        except OSError:
            shutil.copyfile(source, place)

    def entry(self, entry: FileEntry, source: Path | None) -> FileEntry:
        """The entry with another name where it must be, and the digest of the copy of its content."""
        text = self.names.text
        entry = msgspec.structs.replace(
            entry,
            path=text(entry.path),
            link=None if entry.link is None else text(entry.link),
            origin=None if entry.origin is None else text(entry.origin),
        )
        if source is None or entry.sha256 is None:
            return entry
        digest, size = self.content(source, entry.sha256)
        altered = entry.altered or digest != entry.sha256
        return msgspec.structs.replace(entry, sha256=digest, size=size, altered=altered)


class mapped:
    """A file's bytes, without reading them all into memory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Buffer:
        self._stream = self._path.open("rb")
        self._map: mmap.mmap | None = None
        if self._path.stat().st_size == 0:
            return b""
        self._map = mmap.mmap(self._stream.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map

    def __exit__(self, *_: object) -> None:
        self._stream.close()  # the map goes with its last user

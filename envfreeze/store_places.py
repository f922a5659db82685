"""Where a lost content of a store may still lie: bundles, other frozen folders, recorded paths, indexes.

Every place only offers; what it offers is used when it has the wanted digest, and passed over otherwise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

import msgspec

from envfreeze.bundle.layout import SUMS
from envfreeze.bundle.reading import Reader, parse_sums
from envfreeze.bundle.unpack import is_bundle
from envfreeze.engines._workspace import OUTSIDE
from envfreeze.errors import EnvfreezeError, InputError
from envfreeze.files import chunks
from envfreeze.observer.tapes import FOLDER as FOLDER_OF_TAPES
from envfreeze.records.environment import Package
from envfreeze.records.files import FileEntry, FileSet
from envfreeze.records.lock import Lock
from envfreeze.records.tapes import TapeEntry
from envfreeze.store import FOLDER, Store, list_of


class Offer(NamedTuple):
    """A content that may be the wanted one, and where it lies, in words."""

    source: str
    content: Iterable[bytes]


class Place(Protocol):
    """Looks for contents."""

    def offers(self, digest: str) -> Iterator[Offer]:
        """What may have this digest; nothing is raised for what cannot be read."""


class BundleFile:
    """A packed bundle, whose members are known by digest."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def offers(self, digest: str) -> Iterator[Offer]:
        with contextlib.suppress(InputError), Reader(self._path) as reader:
            for name, found in reader.sums.items():
                if found == digest and name in reader.files:
                    yield Offer(f"{self._path}: {name}", _quietly(reader.chunks(name)))


class UnpackedBundle:
    """The folder of an unpacked bundle."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sums = parse_sums((root / SUMS).read_bytes(), str(root / SUMS))

    def offers(self, digest: str) -> Iterator[Offer]:
        for name, found in self._sums.items():
            if found == digest:
                yield from at(self._root / name)


class FrozenFolder:
    """Another folder with a store."""

    def __init__(self, root: Path) -> None:
        self._store = Store(root)

    def offers(self, digest: str) -> Iterator[Offer]:
        yield from at(self._store.path(digest))
        yield from at(self._store.root / FOLDER_OF_TAPES / digest / "manifest.json")
        for listing in sorted(self._store.root.glob(f"{FOLDER_OF_TAPES}/*/manifest.json")):
            with contextlib.suppress(OSError, msgspec.ValidationError, msgspec.DecodeError):
                for entry in msgspec.json.decode(listing.read_bytes(), type=list[TapeEntry]):
                    if entry.sha256 == digest:
                        yield from at(listing.parent / entry.file)


class Replays:
    """What replays of this folder made: an output that was reproduced is a copy of the original."""

    def __init__(self, store: Store, entries: Sequence[FileEntry], streams: Sequence[str]) -> None:
        self._store = store
        self._streams = streams
        self._paths: dict[str | None, list[str]] = {}
        for entry in entries:
            path = f"{OUTSIDE}{entry.path}" if entry.path.startswith("/") else entry.path
            self._paths.setdefault(entry.sha256, []).append(path)

    def offers(self, digest: str) -> Iterator[Offer]:
        for run in sorted(self._store.root.glob("runs/*")):
            for path in self._paths.get(digest, ()):
                yield from at(run / "outputs" / path)
            for name in ("stdout", "stderr") if digest in self._streams else ():
                yield from at(run / name)


class RecordedPaths:
    """Files that lie where they lay, unchanged; and the wheels beside the Dockerfile."""

    def __init__(self, store: Store, entries: Sequence[FileEntry], lock: Lock) -> None:
        self._root = store.root.parent
        self._build = store.root / "build"
        self._paths: dict[str | None, list[str]] = {}
        for entry in entries:
            self._paths.setdefault(entry.sha256, []).append(entry.path)
        for package in lock.packages:
            self._paths.setdefault(package.sha256, []).append(str(self._build / f"wheels/{package.file}"))
        for archive in lock.conda.packages if lock.conda else ():
            if archive.url.startswith("file:"):
                self._paths.setdefault(archive.sha256, []).append(unquote(urlsplit(archive.url).path))

    def offers(self, digest: str) -> Iterator[Offer]:
        for path in self._paths.get(digest, ()):
            yield from at(self._root / path)


class LockItself:
    """Lists of files that the lock repeats."""

    def __init__(self, sets: Sequence[FileSet]) -> None:
        self._sets = {files.manifest: files for files in sets if files.entries}

    def offers(self, digest: str) -> Iterator[Offer]:
        if files := self._sets.get(digest):
            yield Offer("the lock itself", [list_of(files.entries)])


class Indexes:
    """Package indexes; asked last, as they are elsewhere."""

    def __init__(self, packages: Sequence[Package], warn: Callable[[str], None]) -> None:
        self._packages = packages
        self._warn = warn

    def offers(self, digest: str) -> Iterator[Offer]:
        from envfreeze.engines._docker_wheels import fetch
        from envfreeze.probes.pip import of_this_machine

        for package in self._packages:
            if package.sha256 == digest and not package.modified:
                try:
                    path = fetch(package, of_this_machine())
                except (EnvfreezeError, OSError) as error:
                    self._warn(str(error))
                else:
                    yield Offer(package.index or "the package index", _quietly(_read(path)))


def named(path: Path) -> Place:
    """What the user named: a bundle, an unpacked one, or a frozen folder.

    Raises:
        InputError: it is none of them.
    """
    with contextlib.suppress(OSError):
        if is_bundle(path):
            with Reader(path):  # refused here, in a sentence
                return BundleFile(path)
        if (path / SUMS).is_file():
            return UnpackedBundle(path)
        if (path / FOLDER).is_dir():
            return FrozenFolder(path.absolute())
    raise InputError(
        f"{path} is no bundle and no frozen folder, so that nothing can be taken from it.",
        hint="Name a file of envfreeze pack, or a folder with .envfreeze in it.",
    )


def at(path: Path) -> Iterator[Offer]:
    """A file, if there is one; devices, pipes and links to nowhere are passed over."""
    try:
        is_file = path.is_file()
    except (OSError, ValueError):
        return
    if is_file:
        yield Offer(str(path), _quietly(_read(path)))


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from chunks(stream)


def _quietly(content: Iterable[bytes]) -> Iterator[bytes]:
    """A content that ends where it cannot be read: its digest then is another one."""
    with contextlib.suppress(OSError, InputError):
        yield from content

"""The content-addressed store under ``.envfreeze/``.

Layout, all below ``<project>/.envfreeze``::

    .gitignore            what to commit and what not, with the reasons
    objects/ab/cdef…      content by its SHA-256; never changed once written
    build/                what the Dockerfile copies: requirements.txt and wheels
    runs/<id>/            one replay: run.json, stdout, stderr, outputs/
    environments/<id>/    environments of the local engine
    bundle                in an unpacked bundle: where its root is; content is found there by SHA256SUMS
    tapes/<digest>/       randomness and times of a recorded run (see ``observer.tapes``)
    digests               of files by device and inode, so that unchanged ones are not read again
    tmp/                  unfinished work of a process that is alive; anything else there is litter

Invariants: an object's name is the digest of its content; an object appears under its name only when it is
whole and synced; nothing refers to ``tmp``. A crash at any point leaves at most litter in ``tmp``.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.files import chunks, is_left, naming, owner, sha256, sync_directory, write
from envfreeze.records.files import FileEntry, FileSet

FOLDER = ".envfreeze"
INLINE_ENTRIES = 1000
"""A set with more files than this is listed in the store only, so that the lock stays readable."""

_GITIGNORE = """\
# Made by envfreeze. What is ignored here can be made again from the lock:
/runs/
/environments/
/tmp/
/digests
/lock
# tapes/ holds what runs got from sources of randomness, keys that they made included: private by default.
/tapes/
# objects/ holds the recorded files and the original outputs that a replay is compared with.
# Commit it (or track it with git-lfs or DVC) when others shall replay from a clone;
# when it is too large for that, ignore it by removing the next line's '#':
# /objects/
# build/ is what the Dockerfile copies: commit it.
"""


class Store:
    """Content by digest; see the module's text for the layout and the invariants."""

    def __init__(self, project: Path) -> None:
        self.root = project / FOLDER

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    def create(self) -> None:
        """Make the folders.

        Raises:
            OSError: the project folder cannot be written.
        """
        for folder in (self.root, self.objects, self.root / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        if not (self.root / ".gitignore").exists():
            write(self.root / ".gitignore", _GITIGNORE.encode())

    @functools.cached_property
    def bundle(self) -> Path | None:
        """Root of the unpacked bundle that this project is an experiment of; None when it is none."""
        try:
            return (self.root.parent / (self.root / "bundle").read_text(encoding="utf-8").strip()).resolve()
        except (OSError, ValueError):
            return None

    @functools.cached_property
    def _bundled(self) -> dict[str, Path]:
        """Places of content in the bundle, by digest; what is found there is checked like any object."""
        from envfreeze.bundle.layout import SUMS
        from envfreeze.bundle.reading import parse_sums

        if self.bundle is None:
            return {}
        try:
            sums = parse_sums((self.bundle / SUMS).read_bytes(), str(self.bundle / SUMS))
        except OSError:
            return {}
        return {digest: self.bundle / name for name, digest in reversed(sums.items())}

    def path(self, digest: str) -> Path:
        """Where the object with this digest lies, if it is there."""
        own = Path(f"{self.root}/objects/{digest[:2]}/{digest[2:]}")
        if self.bundle is None or own.is_file():
            return own
        return self._bundled.get(digest, own)

    def __contains__(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def add_file(self, source: Path | str) -> tuple[str, int]:
        """Take a copy of a file's present content; return its digest and size in bytes.

        The digest is of the bytes that were stored, so a file that changes meanwhile cannot lie.

        Raises:
            OSError: the source cannot be read or the store cannot be written.
        """
        with open(source, "rb") as stream:  # noqa: PTH123 - names that are not valid UTF-8
            return self.add_stream(stream)

    def add_bytes(self, data: bytes) -> str:
        """Store a short content; return its digest."""
        digest = hashlib.sha256(data).hexdigest()
        if not is_whole(self.path(digest), digest):
            with self._incoming() as incoming:
                incoming.write(data)
                self._place(incoming, digest)
        return digest

    def add_stream(self, stream: IO[bytes]) -> tuple[str, int]:
        """Store what the stream yields until its end; return its digest and size in bytes."""
        digest, size = hashlib.sha256(), 0
        with self._incoming() as incoming:
            for chunk in chunks(stream):
                digest.update(chunk)
                size += len(chunk)
                incoming.write(chunk)
            self._adopt(incoming, digest.hexdigest())
        return digest.hexdigest(), size

    @contextlib.contextmanager
    def _incoming(self) -> Iterator[IO[bytes]]:
        self.create()
        with naming(self.root), self._named() as stream:
            try:
                yield stream
            finally:
                with contextlib.suppress(FileNotFoundError):
                    Path(stream.name).unlink()

    def _adopt(self, incoming: IO[bytes], digest: str) -> None:
        target = self.path(digest)
        if is_whole(target, digest):
            return
        self._place(incoming, digest)

    def _place(self, incoming: IO[bytes], digest: str) -> None:
        """Give a content its name; what lay there before, damaged, is replaced in one step."""
        target = self.objects / digest[:2] / digest[2:]
        incoming.flush()
        os.fchmod(incoming.fileno(), 0o444)
        os.fsync(incoming.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(incoming.name, target)  # noqa: PTH105 - a name, not a Path
        sync_directory(target.parent)

    def restore(self, digest: str, content: Iterable[bytes]) -> bool:
        """Put a missing or damaged object back, if ``content`` is its content; False when it is not.

        An object that is whole is never written; a damaged one stays until its content is there and synced.

        Raises:
            OSError: the store cannot be written.
        """
        found = hashlib.sha256()
        with self._incoming() as incoming:
            for chunk in content:
                found.update(chunk)
                incoming.write(chunk)
            if found.hexdigest() != digest:
                return False
            if not is_whole(self.path(digest), digest):
                self._place(incoming, digest)
        return True

    def located(self, digest: str, *, what: str) -> Path:
        """Path of an object, whose content is not read.

        Raises:
            InputError: the object is missing; ``what`` names it for the user.
        """
        path = self.path(digest)
        if not path.is_file():
            raise InputError(
                f"{what} is missing from the store: no {path}.",
                hint="Copy .envfreeze/ together with envfreeze.lock, run: envfreeze store verify --repair, "
                "or freeze again.",
            )
        return path

    def verified(self, digest: str, *, what: str) -> Path:
        """Path of an object whose content was just checked against its name.

        Raises:
            InputError: the object is missing or damaged; ``what`` names it for the user.
        """
        path = self.located(digest, what=what)
        if sha256(path) != digest:
            raise InputError(
                f"{what} is damaged in the store: the content of {path} does not match its digest.",
                hint="Run: envfreeze store verify --repair [BUNDLE OR COPY OF THE FOLDER]",
            )
        return path

    def add_set(self, entries: Iterable[FileEntry]) -> FileSet:
        """Store the list of entries; short lists are repeated in the result for people to read."""
        ordered = tuple(sorted(entries, key=lambda entry: entry.path))
        if not ordered:
            return FileSet()
        data = list_of(ordered)
        return FileSet(
            count=len(ordered),
            size=sum(entry.size for entry in ordered),
            manifest=self.add_bytes(data),
            entries=ordered if len(ordered) <= INLINE_ENTRIES and _is_text(ordered) else (),
        )

    def entries(self, files: FileSet, *, what: str) -> tuple[FileEntry, ...]:
        """All entries of a set, from the record itself or from the store.

        Raises:
            InputError: the list is missing, damaged, or not a list of files.
        """
        if files.entries or files.manifest is None:
            return files.entries
        data = self.verified(files.manifest, what=f"the list of {what}").read_bytes()
        try:
            return msgspec.convert(json.loads(data), tuple[FileEntry, ...])
        except (ValueError, msgspec.ValidationError) as error:
            raise InputError(f"the list of {what} in the store is not readable: {error}.") from error

    @contextlib.contextmanager
    def temporary(self) -> Iterator[Path]:
        """A folder for unfinished work, removed afterwards."""
        self.create()
        self._clear_litter()
        folder = Path(tempfile.mkdtemp(dir=self.root / "tmp", prefix=owner()))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _named(self) -> IO[bytes]:
        return tempfile.NamedTemporaryFile(dir=self.root / "tmp", prefix=owner(), delete=False)

    def _clear_litter(self) -> None:
        """Remove what processes that are gone left unfinished, for example after a kill or a power cut."""
        for entry in (self.root / "tmp").iterdir():
            if is_left(entry.name):
                with contextlib.suppress(OSError):
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    @contextlib.contextmanager
    def locked(self, activity: str, *, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
        """Keep others from writing this project's lock and store at the same time.

        A second process waits and says who holds the lock (through ``on_wait(text)``).

        Raises:
            EnvironmentFailure: the file system does not support locks.
        """
        self.create()
        path = self.root / "lock"
        with path.open("a+b") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = path.read_text(errors="replace").strip() or "another process"
                if on_wait is not None:
                    on_wait(f"waiting for {holder}, which is at work in {self.root.parent}")
                fcntl.flock(stream, fcntl.LOCK_EX)
            except OSError as error:
                raise EnvironmentFailure(f"{path} cannot be locked: {error.strerror}.") from error
            stream.truncate(0)
            stream.write(f"envfreeze {activity} (process {os.getpid()})".encode())
            stream.flush()
            self._clear_litter()
            try:
                yield
            finally:
                stream.truncate(0)


def list_of(entries: Iterable[FileEntry]) -> bytes:
    """The list of a set's files, as it is stored."""
    return json.dumps(msgspec.to_builtins(tuple(entries)), indent=0, ensure_ascii=True).encode()


def is_whole(path: Path, digest: str) -> bool:
    """Whether a file is there and has this content."""
    try:
        return path.is_file() and sha256(path) == digest
    except OSError:  # a block of the disk cannot be read
        return False


def _is_text(entries: Iterable[FileEntry]) -> bool:
    """False when a name is not valid Unicode: YAML cannot hold it, while the stored JSON list can."""
    return all(
        text.isascii() or text == text.encode(errors="replace").decode()
        for entry in entries
        for text in (entry.path, entry.link or "")
    )

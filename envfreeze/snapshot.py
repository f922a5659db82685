"""Many files into the store at once: hashed in parallel, each content once, by shared blocks where possible.

What was hashed before and has not changed since is not read again: its digest lies in ``.envfreeze/digests``,
by device and inode, and holds as long as size and both times of change are the same (as in git's index).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from envfreeze.files import CHUNK, in_parallel, naming, stop_if_told, sync_directory, write
from envfreeze.store import Store, is_whole

FICLONE = 0x40049409
"""ioctl_ficlone(2): share the blocks of the source, on file systems that can (btrfs, XFS, bcachefs)."""

_SMALL = 256 << 10
"""Bytes: a file up to this size is read whole, and written only when its content is new."""
_TOGETHER = 2048
"""Files that are made durable by one sync; more would only cost memory."""
_FRESH = 50_000_000
"""Nanoseconds: a file that changed this recently may change again without another time (kernel ticks)."""
_COARSE = 2_000_000_000
"""The same on file systems that keep whole seconds only."""
_MOST_DIGESTS = 1_000_000
_CANNOT_SHARE = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.ENOTTY, errno.EPERM, errno.EBADF}
)


class Taken(NamedTuple):
    """A file as it was: its digest, its size in bytes, and whether its owner may execute it."""

    digest: str
    size: int
    executable: bool


class Missed(NamedTuple):
    """A file that could not be taken, and why in words."""

    why: str


UNREADABLE = Missed("it could not be read after the run")
UNSTABLE = Missed("it changed while it was being read")


def take(
    sources: Sequence[str], store: Store, *, kept: Callable[[str, int], bool] = lambda path, size: True
) -> list[Taken | Missed]:
    """The present content of files, in the order of ``sources``.

    Args:
        kept: says by path and size whether the content goes into the store, or is hashed only.

    Raises:
        OSError: the store cannot be written; what was stored until then is whole.
    """
    store.create()
    digests = Digests(store.root / "digests")
    found: list[Taken | Missed] = []
    for start in range(0, len(sources), _TOGETHER):
        with naming(store.root), store.temporary() as folder:
            taking = _Taking(store, folder, digests, kept)
            some = [(path, taking.known(path)) for path in sources[start : start + _TOGETHER]]
            new = iter(in_parallel(taking.take, [path for path, known in some if known is None]))
            found += [known or next(new) for _, known in some]
            taking.adopt()
    digests.save()
    return found


class _Unreadable(Exception):
    """The source, not the store, failed."""


class _Taking:
    """Some files on their way into the store."""

    def __init__(
        self, store: Store, folder: Path, digests: Digests, kept: Callable[[str, int], bool]
    ) -> None:
        self._store, self._folder, self._digests, self._kept = store, os.fspath(folder), digests, kept
        self._objects = os.fspath(store.objects)
        self._present: set[str] = set()
        self._whole: set[str] = set()
        self._made: dict[str, str] = {}
        self._lock = threading.Lock()
        self._number = 0

    def known(self, path: str) -> Taken | None:
        """A file that was hashed before and whose content, if it is to be kept, is there."""
        try:
            status = os.stat(path)  # noqa: PTH116 - names that are not valid UTF-8
        except OSError:
            return None
        digest = self._digests.get(status)
        if digest is None or (self._kept(path, status.st_size) and not self._has(digest, status.st_size)):
            return None
        return _taken(digest, status)

    def take(self, path: str) -> Taken | Missed:
        """Read a file, and again when it changes meanwhile."""
        try:
            status = os.stat(path)  # noqa: PTH116
            if not stat.S_ISREG(status.st_mode):
                return UNREADABLE
            kept = self._kept(path, status.st_size)
            for _ in range(2):
                digest, before, after = self._read(path, kept)
                if _identity(before) == _identity(after):
                    self._digests.put(after, digest)
                    return _taken(digest, after)
        except (_Unreadable, FileNotFoundError, PermissionError, NotADirectoryError):
            return UNREADABLE
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENAMETOOLONG, errno.EIO, errno.ESTALE):
                return UNREADABLE
            raise
        return UNSTABLE

    def _object(self, digest: str) -> str:
        return f"{self._objects}/{digest[:2]}/{digest[2:]}"

    def _has(self, digest: str, size: int) -> bool:
        """Whether there is an object of this size: enough for a file that is not read again either."""
        if digest in self._present:
            return True
        try:
            status = os.stat(self._object(digest))  # noqa: PTH116
        except OSError:
            return False
        if not stat.S_ISREG(status.st_mode) or status.st_size != size:
            return False
        self._present.add(digest)
        return True

    def _has_whole(self, digest: str, size: int) -> bool:
        """Whether the object's content is its own: asked when the good content is at hand to replace it."""
        if digest in self._whole:
            return True
        if not self._has(digest, size) or not is_whole(Path(self._object(digest)), digest):
            return False
        self._whole.add(digest)
        return True

    def _read(self, path: str, kept: bool) -> tuple[str, os.stat_result, os.stat_result]:
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise _Unreadable from error
        try:
            before = os.fstat(source)
            if before.st_size <= _SMALL:
                data = b"".join(_chunks(source))
                digest = hashlib.sha256(data).hexdigest()
                if kept and not self._has_whole(digest, len(data)):
                    with self._new_file() as (target, name):
                        _write_all(target, data)
                        self._keep(target, name, digest)
            elif kept:
                with self._new_file() as (target, name):
                    digest = _copy(source, target, before.st_size)
                    self._keep(target, name, digest)
            else:
                digest = _hashed(source)
            return digest, before, os.fstat(source)
        finally:
            os.close(source)

    @contextlib.contextmanager
    def _new_file(self) -> Iterator[tuple[int, str]]:
        with self._lock:
            name = f"{self._folder}/{self._number}"
            self._number += 1
        target = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            yield target, name
        finally:
            os.close(target)

    def _keep(self, target: int, name: str, digest: str) -> None:
        os.fchmod(target, 0o444)
        if not self._has_whole(digest, os.fstat(target).st_size):
            with self._lock:
                if digest not in self._whole:
                    self._whole.add(digest)
                    self._present.add(digest)
                    self._made[digest] = name
                    return
        os.unlink(name)  # noqa: PTH108

    def adopt(self) -> None:
        """Give the new contents their names, once they are on the disk."""
        if not self._made:
            return
        sync_file_system(self._folder)
        folders = {f"{self._objects}/{digest[:2]}" for digest in self._made}
        for folder in folders:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        for digest, name in self._made.items():
            os.replace(name, self._object(digest))  # noqa: PTH105
        if len(folders) <= 8:
            for folder in folders:
                sync_directory(Path(folder))
        else:
            sync_file_system(self._folder)


def _taken(digest: str, status: os.stat_result) -> Taken:
    return Taken(digest, status.st_size, bool(status.st_mode & 0o100))


def _chunks(source: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(source, CHUNK)
        except OSError as error:
            raise _Unreadable from error
        if not chunk:
            return
        stop_if_told()
        yield chunk


def _hashed(source: int) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(source):
        digest.update(chunk)
    return digest.hexdigest()


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _copy(source: int, target: int, size: int) -> str:
    """Copy a file; the digest is of the copy's own bytes, so that a change meanwhile cannot make it lie."""
    if share_blocks(source, target) or _copy_in_kernel(source, target, size):
        os.lseek(target, 0, os.SEEK_SET)
        return _hashed(target)
    digest = hashlib.sha256()
    for chunk in _chunks(source):
        digest.update(chunk)
        _write_all(target, chunk)
    return digest.hexdigest()


def share_blocks(source: int, target: int) -> bool:
    """Let ``target`` share all blocks of ``source``; False where the file systems cannot."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        return False
    return True


def _copy_in_kernel(source: int, target: int, size: int) -> bool:
    """copy_file_range(2): no bytes pass through this process, and network file systems copy on their own."""
    copied = 0
    try:
        while sent := os.copy_file_range(source, target, 64 * CHUNK):
            copied += sent
            stop_if_told()
    except OSError as error:
        if error.errno not in _CANNOT_SHARE:
            raise
        copied = 0
    if copied >= size > 0:
        return True
    os.lseek(source, 0, os.SEEK_SET)
    os.lseek(target, 0, os.SEEK_SET)
    os.ftruncate(target, 0)
    return False


def sync_file_system(folder: Path | str) -> None:
    """Make all that was written to the file system of ``folder`` survive a power cut (syncfs(2)).

    Raises:
        OSError: the disk failed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            os.sync()
        elif syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), os.fspath(folder))
    finally:
        os.close(descriptor)


class _Known(msgspec.Struct, array_like=True):
    """What a file was when it was hashed."""

    size: int
    mtime: int
    ctime: int
    digest: bytes


class Digests:
    """Digests of files that were hashed before; a lost or damaged list only costs time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, _Known] = {}
        self._seen: dict[str, _Known] = {}
        self._new = False
        with contextlib.suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
            self._known = msgspec.msgpack.decode(path.read_bytes(), type=dict[str, _Known])

    def get(self, status: os.stat_result) -> str | None:
        """The digest of a file that has not changed since it was hashed."""
        key = _key(status)
        known = self._known.get(key)
        if known is None or (known.size, known.mtime, known.ctime) != _identity(status)[2:]:
            return None
        self._seen[key] = known
        return known.digest.hex()

    def put(self, status: os.stat_result, digest: str) -> None:
        """Remember a digest, unless the file is so new that a further change might not show in its times."""
        coarse = not (status.st_mtime_ns % 1_000_000_000 or status.st_ctime_ns % 1_000_000_000)
        newest = max(status.st_mtime_ns, status.st_ctime_ns)
        if time.time_ns() - newest < (_COARSE if coarse else _FRESH):
            return
        self._seen[_key(status)] = _Known(
            status.st_size, status.st_mtime_ns, status.st_ctime_ns, bytes.fromhex(digest)
        )
        self._new = True

    def save(self) -> None:
        """Write the list; when the disk does not let us, the next freeze hashes again."""
        if not self._new:
            return
        known = self._known | self._seen if len(self._known) < _MOST_DIGESTS else self._seen
        with contextlib.suppress(OSError):
            write(self._path, msgspec.msgpack.encode(known))


def _key(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"


def _identity(status: os.stat_result) -> tuple[int, int, int, int, int]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

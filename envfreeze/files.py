"""Files written whole or not at all, and digests computed in streams and in parallel."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, TypeVar

CHUNK = 1 << 20

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says of a disk that is full, or of a user's quota (errno(3))."""

T = TypeVar("T")
R = TypeVar("R")


def is_full(error: BaseException) -> bool:
    """True for what the system raises when a disk is full, or a user's quota."""
    return isinstance(error, OSError) and error.errno in FULL


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of ``path`` when the block ends well, and vanishes otherwise.

    The data and then the directory are synced, so that after a crash either the old or the new file is there.

    Raises:
        OSError: the folder cannot be written, or the disk is full; ``path`` is then as it was.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_litter(path.parent)
        descriptor, temporary = tempfile.mkstemp(prefix=unfinished(path), suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                os.fchmod(stream.fileno(), mode)
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    sync_directory(path.parent)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the system that rise here name ``path``, where they name no file or the temporary one.

    write(2) on a full disk names none.
    """
    try:
        yield
    except OSError as error:
        named = error.filename
        if error.errno and (named is None or Path(os.fsdecode(named)).name.startswith(_prefix(path))):
            error.filename = str(path)
        raise


def _prefix(path: Path) -> str:
    return f".{path.name[:40]}."


HOST = os.uname().nodename
"""Process ids mean something on one machine only, while a folder may lie on a shared disk."""


def owner() -> str:
    """How a name goes on that belongs to this process alone."""
    return f"{HOST}.{os.getpid()}."


def is_left(name: str) -> bool:
    """Whether an unfinished thing of this name belongs to a process of this machine that is gone."""
    before, _, _ = name.removesuffix(".tmp").rpartition(".")
    rest, _, pid = before.rpartition(".")
    named = rest == HOST or rest.endswith(f".{HOST}")
    return named and pid.isdecimal() and not Path("/proc", pid).exists()


def unfinished(path: Path) -> str:
    """How the name of an unfinished ``path`` begins, beside it; it ends with ``.tmp``."""
    return _prefix(path) + owner()


@functools.lru_cache(maxsize=1024)
def clear_litter(folder: Path) -> None:
    """Remove what killed processes left unfinished in a folder; once a process, as folders may be large."""
    with contextlib.suppress(OSError):
        left = [
            entry.path
            for entry in os.scandir(folder)
            if entry.name.startswith(".") and entry.name.endswith(".tmp") and is_left(entry.name)
        ]
        for path in left:
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()


def write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a whole file atomically (see ``replacing``)."""
    with replacing(path, mode=mode) as stream:
        stream.write(data)


def sync_directory(path: Path) -> None:
    """Make a rename in ``path`` survive a power cut (POSIX leaves that to fsync of the directory)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sha256(path: Path | str) -> str:
    """Hex SHA-256 of a file's content, read in chunks."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:  # noqa: PTH123 - names that are not valid UTF-8
        for chunk in chunks(stream):
            digest.update(chunk)
    return digest.hexdigest()


def chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """What is left in the stream; ends early with ``Stopped`` in a worker whose ``in_parallel`` was left."""
    while chunk := stream.read(CHUNK):
        stop_if_told()
        yield chunk


class Stopped(BaseException):
    """Raised in a worker, to end it; nobody sees it."""


_worker = threading.local()
_PATIENCE = 2.0
"""Seconds that workers get to clean up after Ctrl-C."""


def stop_if_told() -> None:
    """To be called now and then by work that takes long.

    Raises:
        Stopped: this is a worker of ``in_parallel``, and nobody waits for its result any more.
    """
    told: threading.Event | None = getattr(_worker, "told", None)
    if told is not None and told.is_set():
        raise Stopped


def in_parallel(function: Callable[[T], R], items: Iterable[T], *, workers: int | None = None) -> list[R]:
    """Results in the order of ``items``; hashlib and file reads release the interpreter lock.

    The first error ends it. Ctrl-C does not wait for a worker that neither ends nor calls ``stop_if_told``.
    """
    todo = list(items)
    if len(todo) < 2:
        return [function(item) for item in todo]
    told, patience = threading.Event(), None

    def work(item: T) -> R:
        _worker.told = told
        return function(item)

    pool = ThreadPoolExecutor(workers or min(8, (os.cpu_count() or 1) * 2))
    futures = [pool.submit(work, item) for item in todo]
    try:
        return [future.result() for future in futures]
    except (KeyboardInterrupt, SystemExit):
        patience = _PATIENCE
        raise
    finally:
        told.set()
        pool.shutdown(wait=False, cancel_futures=True)
        wait([future for future in futures if not future.cancelled()], timeout=patience)


def user_cache() -> Path:
    """Where this user's caches of envfreeze lie, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "envfreeze"


def absolute(path: Path | str) -> Path:
    """The absolute path without ``..``; links are followed only where that needs it."""
    path = Path(path).absolute()
    return path.resolve() if ".." in path.parts else path

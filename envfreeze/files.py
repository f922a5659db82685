"""Files written whole or not at all, and digests computed in streams and in parallel."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeVar

CHUNK = 1 << 20

T = TypeVar("T")
R = TypeVar("R")


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of ``path`` when the block ends well, and vanishes otherwise.

    The data and then the directory are synced, so that after a crash either the old or the new file is there.

    Raises:
        OSError: the folder cannot be written, or the disk is full; ``path`` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
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
    with open(path, "rb") as stream:  # noqa: PTH123 - names that are not valid UTF-8
        return hashlib.file_digest(stream, "sha256").hexdigest()


def in_parallel(function: Callable[[T], R], items: Iterable[T], *, workers: int | None = None) -> list[R]:
    """Results in the order of ``items``; hashlib and file reads release the interpreter lock."""
    todo = list(items)
    if len(todo) < 2:
        return [function(item) for item in todo]
    with ThreadPoolExecutor(workers or min(8, (os.cpu_count() or 1) * 2)) as pool:
        return list(pool.map(function, todo))

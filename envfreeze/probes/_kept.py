"""Answers that stay true, kept on disk in the user's cache; losing them costs time only."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TypeVar

import msgspec

from envfreeze import files

T = TypeVar("T")


def place(*key: str) -> Path:
    """Where an answer is kept, by the XDG base directory specification."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = hashlib.sha256("\0".join(key).encode("utf-8", "surrogateescape")).hexdigest()
    return Path(base, "envfreeze", "index", name[:2], f"{name[2:]}.json")


def recall(kind: type[T], *key: str) -> T | None:
    """The answer that was kept under this key; None when there is none, or none that is readable."""
    try:
        return msgspec.json.decode(place(*key).read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def keep(value: object, *key: str) -> None:
    """Keep an answer; a cache that cannot be written is no error."""
    with contextlib.suppress(OSError):
        files.write(place(*key), msgspec.json.encode(value))


def sha256_of(path: Path) -> str:
    """Digest of a local file, remembered by its path, size and time of change.

    Raises:
        OSError: it cannot be read.
    """
    status = path.stat()
    key = ("file", str(path), str(status.st_size), str(status.st_mtime_ns))
    digest = recall(str, *key)
    if digest is None:
        digest = files.sha256(path)
        keep(digest, *key)
    return digest

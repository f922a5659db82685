"""The recorded tapes of a project: which locks need them, whether they are whole, and how much they take.

Unlike objects they lie in folders of their own, ``.envfreeze/tapes/<digest of the manifest>/`` (see
``observer.tapes``). They are private, so that it is no fault when a lock's tapes are not there.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence

from envfreeze.observer.tapes import FOLDER, find
from envfreeze.records.base import Bytes, Record, Sha256
from envfreeze.records.lock import Lock
from envfreeze.records.tapes import Tapes
from envfreeze.store import Store

_DIGEST = re.compile(r"[0-9a-f]{64}")


class StoredTapes(Record, omit_defaults=False):
    """The tapes of one recorded run, as they lie in the store."""

    manifest: Sha256
    size: Bytes = 0
    used_by: tuple[str, ...] = ()
    """Names of the locks that play them; nothing does when this is empty."""


def stored_tapes(store: Store, locks: Sequence[tuple[str, Lock]]) -> tuple[StoredTapes, ...]:
    """All tapes that lie in the store, the largest first.

    Args:
        locks: names and contents of the locks that may need them.
    """
    users: dict[str, list[str]] = {}
    for name, lock in locks:
        if lock.run is not None and lock.run.tapes is not None:
            users.setdefault(lock.run.tapes.manifest, []).append(name)
    root = store.root / FOLDER
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    found = [
        StoredTapes(
            manifest=folder.name,
            size=sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()),
            used_by=tuple(users.get(folder.name, ())),
        )
        for folder in folders
        if _DIGEST.fullmatch(folder.name) and not folder.is_symlink()
    ]
    return tuple(sorted(found, key=lambda item: (-item.size, item.manifest)))


def is_damaged(store: Store, tapes: StoredTapes) -> bool:
    """True when something of them is not as it was recorded, so that a replay would not play them."""
    return find(store, Tapes(manifest=tapes.manifest))[0] is None


def remove(store: Store, tapes: StoredTapes) -> None:
    """Delete them.

    Raises:
        OSError: the store cannot be written.
    """
    shutil.rmtree(store.root / FOLDER / tapes.manifest)

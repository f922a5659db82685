"""Looks after the store of a project: what lies there and for whom, what is damaged, what nobody needs.

An object is needed when a lock in the project folder or a recorded replay names its digest, directly or in a
list that is itself an object. Lists are read and never trusted: a hostile one can at most keep objects.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from envfreeze.errors import InputError
from envfreeze.files import in_parallel, sha256
from envfreeze.observer.outputs import printable
from envfreeze.records import lockfile
from envfreeze.records.base import Bytes, Record, Sha256
from envfreeze.records.lock import Lock
from envfreeze.store import Store
from envfreeze.store_tapes import StoredTapes, is_damaged, remove, stored_tapes

_DIGEST = re.compile(r"[0-9a-f]{64}")


class StoredObject(Record, omit_defaults=False):
    """One content of the store."""

    sha256: Sha256
    size: Bytes = 0
    used_by: tuple[str, ...] = ()
    """What refers to it, in words; nothing does when this is empty."""


class Maintained(Record, omit_defaults=False):
    """What was found or done."""

    count: int = 0
    size: Bytes = 0
    objects: tuple[StoredObject, ...] = ()
    damaged: tuple[str, ...] = ()
    """Digests of objects whose content is not theirs."""
    missing: tuple[StoredObject, ...] = ()
    """What something refers to and is not there."""
    tapes: tuple[StoredTapes, ...] = ()
    """Randomness and times of recorded runs; not part of ``count`` and ``size``."""
    damaged_tapes: tuple[str, ...] = ()
    """Those that a replay would not play, by their manifests."""


def contents(store: Store) -> Maintained:
    """Every object, with what refers to it; the largest first."""
    uses = references(store)
    found = [
        StoredObject(sha256=digest, size=size, used_by=tuple(uses.get(digest, ())))
        for digest, size in _objects(store)
    ]
    present = {item.sha256 for item in found}
    missing = [
        StoredObject(sha256=digest, used_by=tuple(names))
        for digest, names in sorted(uses.items())
        if digest not in present
    ]
    summed = _summed(sorted(found, key=lambda item: (-item.size, item.sha256)), missing=missing)
    return msgspec.structs.replace(summed, tapes=stored_tapes(store, list(_locks(store, strict=False))))


def verify(store: Store) -> Maintained:
    """Hold every object's content against its digest; ``damaged`` and ``missing`` say what is wrong."""
    found = contents(store)

    def is_whole(item: StoredObject) -> bool:
        try:
            return sha256(store.path(item.sha256)) == item.sha256
        except OSError:
            return False

    whole = in_parallel(is_whole, found.objects)
    damaged = tuple(item.sha256 for item, good in zip(found.objects, whole, strict=True) if not good)
    tapes = tuple(item.manifest for item in found.tapes if is_damaged(store, item))
    return msgspec.structs.replace(found, damaged=damaged, damaged_tapes=tapes)


def prune(store: Store, *, dry_run: bool = False) -> Maintained:
    """Remove the objects and tapes that nothing refers to; ``objects`` and ``tapes`` are these.

    Locks elsewhere, such as in other commits, are not seen: what only they refer to goes too.

    Raises:
        InputError: there is no lock, or one or a list that it names cannot be read: then nobody knows what is
            needed, and nothing is removed.
        OSError: the store cannot be written.
    """
    lockfile.read(store.root.parent / lockfile.NAME)
    with store.locked("store prune"):
        uses = references(store, strict=True)
        unused = [
            StoredObject(sha256=digest, size=size) for digest, size in _objects(store) if digest not in uses
        ]
        locks = list(_locks(store, strict=True))
        tapes = tuple(item for item in stored_tapes(store, locks) if not item.used_by)
        if not dry_run:
            for unplayed in tapes:
                remove(store, unplayed)
            for item in unused:
                path = store.path(item.sha256)
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # others lie in the folder
                    path.parent.rmdir()
    return msgspec.structs.replace(_summed(unused), tapes=tapes)


def _summed(objects: list[StoredObject], *, missing: list[StoredObject] | None = None) -> Maintained:
    return Maintained(
        count=len(objects),
        size=sum(item.size for item in objects),
        objects=tuple(objects),
        missing=tuple(missing or ()),
    )


def _objects(store: Store) -> Iterator[tuple[str, int]]:
    if not store.objects.is_dir():
        return
    for folder in sorted(store.objects.iterdir()):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            digest = folder.name + path.name
            if _DIGEST.fullmatch(digest) and path.is_file() and not path.is_symlink():
                yield digest, path.stat().st_size


def references(store: Store, *, strict: bool = False) -> dict[str, list[str]]:
    """What refers to which digest, in words: the locks in the project folder, and the recorded replays.

    Args:
        strict: whether a lock or list that cannot be read is an error, or is passed over.

    Raises:
        InputError: only when ``strict``.
    """
    uses: dict[str, list[str]] = {}

    def use(digest: str | None, who: str) -> None:
        if digest is not None and who not in (names := uses.setdefault(digest, [])):
            names.append(who)

    for name, lock in _locks(store, strict=strict):
        try:
            _uses_of_lock(lock, store, name, use)
        except (InputError, OSError):
            if strict:
                raise
    for record in sorted(store.root.glob("runs/*/run.json")):
        for digest in _DIGEST.findall(record.read_text(errors="replace")):
            if digest in store:
                use(digest, f"replay {record.parent.name}")
    return uses


def _locks(store: Store, *, strict: bool) -> Iterator[tuple[str, Lock]]:
    """Names and contents of the locks in the project folder.

    Raises:
        InputError: one cannot be read; only when ``strict``.
    """
    for path in sorted(store.root.parent.glob("*.lock")):
        try:
            lock = lockfile.read(path) if _is_ours(path) else None
        except (InputError, OSError):
            if strict:
                raise
            continue
        if lock is not None:
            yield path.name, lock


def _is_ours(path: Path) -> bool:
    """Other tools' locks have the same ending."""
    return path.name == lockfile.NAME or b"\nenvfreeze_lock:" in b"\n" + path.read_bytes()


def _uses_of_lock(lock: Lock, store: Store, name: str, use: Callable[[str | None, str], None]) -> None:
    named: set[str | None] = set()

    def use_here(digest: str | None, what: str) -> None:
        named.add(digest)
        use(digest, f"{name}: {printable(what)}")

    if lock.run is not None:
        for what, files in (("file", lock.run.files), ("output", lock.run.outputs)):
            use_here(files.manifest, f"the list of {what}s")
            for entry in store.entries(files, what=f"{what}s"):
                use_here(entry.sha256 if entry.origin is None else None, f"{what} {entry.path}")
        use_here(lock.run.stdout.sha256, "standard output")
        use_here(lock.run.stderr.sha256, "standard error")
        use_here(lock.run.process_tree, "the list of programs")
    for package in lock.packages:
        use_here(package.sha256 if package.vendored else None, f"{package.name} {package.version}")
        use_here(package.patch, f"changes to {package.name}")
    if lock.git is not None:
        use_here(lock.git.diff, "uncommitted changes")
    # What any other field refers to is needed as well.
    for digest in _DIGEST.findall(msgspec.json.encode(lock).decode()):
        if digest not in named and digest in store:
            use_here(digest, "the lock itself")

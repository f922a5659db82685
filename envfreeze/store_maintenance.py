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
from envfreeze.files import in_parallel
from envfreeze.observer.outputs import printable
from envfreeze.records import lockfile
from envfreeze.records.base import Bytes, Record, Sha256
from envfreeze.records.files import FileEntry, FileSet
from envfreeze.records.lock import Lock
from envfreeze.store import Store, is_whole
from envfreeze.store_tapes import StoredTapes, is_damaged, remove, stored_tapes

_DIGEST = re.compile(r"[0-9a-f]{64}")


class StoredObject(Record, omit_defaults=False):
    """One content of the store."""

    sha256: Sha256
    size: Bytes = 0
    used_by: tuple[str, ...] = ()
    """What refers to it, in words; nothing does when this is empty."""


class RepairedObject(Record, omit_defaults=False):
    """A content that was damaged or missing, and was put back."""

    sha256: Sha256
    used_by: tuple[str, ...] = ()
    source: str = ""
    """Where its content was found, in words."""


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
    repaired: tuple[RepairedObject, ...] = ()
    """What was damaged or missing and is whole again; no longer in ``damaged`` or ``missing``."""


def contents(store: Store) -> Maintained:
    """Every object, with what refers to it; the largest first."""
    uses = references(store)
    found = [
        StoredObject(sha256=digest, size=size, used_by=tuple(uses.get(digest, ())))
        for digest, size in _objects(store)
    ]
    present = {item.sha256 for item in found}
    for digest in sorted(uses.keys() - present):
        if digest in store:  # in the bundle that this folder is an experiment of
            size = store.path(digest).stat().st_size
            found.append(StoredObject(sha256=digest, size=size, used_by=tuple(uses[digest])))
            present.add(digest)
    missing = [
        StoredObject(sha256=digest, used_by=tuple(names))
        for digest, names in sorted(uses.items())
        if digest not in present
    ]
    summed = _summed(sorted(found, key=lambda item: (-item.size, item.sha256)), missing=missing)
    return msgspec.structs.replace(summed, tapes=stored_tapes(store, list(locks_of(store))))


def verify(store: Store, *, whole: set[str] | None = None) -> Maintained:
    """Hold every object's content against its digest; ``damaged`` and ``missing`` say what is wrong.

    Args:
        whole: digests of objects that were seen to be whole just now; those found whole here are added.
    """
    found = contents(store)
    whole = set() if whole is None else whole
    unseen = [item.sha256 for item in found.objects if item.sha256 not in whole]
    good = in_parallel(lambda digest: is_whole(store.path(digest), digest), unseen)
    whole |= {digest for digest, is_good in zip(unseen, good, strict=True) if is_good}
    damaged = tuple(item.sha256 for item in found.objects if item.sha256 not in whole)
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
        locks = list(locks_of(store, strict=True))
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

    for name, lock in locks_of(store, strict=strict):
        _uses_of_lock(lock, store, name, use, strict=strict)
    for record in sorted(store.root.glob("runs/*/run.json")):
        for digest in _DIGEST.findall(record.read_text(errors="replace")):
            if digest in store:
                use(digest, f"replay {record.parent.name}")
    return uses


def locks_of(store: Store, *, strict: bool = False) -> Iterator[tuple[str, Lock]]:
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


def _uses_of_lock(
    lock: Lock, store: Store, name: str, use: Callable[[str | None, str], None], *, strict: bool
) -> None:
    named: set[str | None] = set()

    def use_here(digest: str | None, what: str) -> None:
        named.add(digest)
        use(digest, f"{name}: {printable(what)}")

    if lock.run is not None:
        for what, files in (("file", lock.run.files), ("output", lock.run.outputs)):
            use_here(files.manifest, f"the list of {what}s")
            for entry in _entries(store, files, what, strict=strict):
                use_here(entry.sha256 if entry.origin is None else None, f"{what} {entry.path}")
        use_here(lock.run.stdout.sha256, "standard output")
        use_here(lock.run.stderr.sha256, "standard error")
        use_here(lock.run.process_tree, "the list of programs")
    for package in lock.packages:
        use_here(package.sha256 if package.vendored else None, f"{package.name} {package.version}")
        use_here(package.patch, f"changes to {package.name}")
    for archive in lock.conda.packages if lock.conda is not None else ():
        use_here(archive.sha256 if archive.vendored else None, f"{archive.name} {archive.version}")
    for entry in (*lock.system.files, *([lock.claims] if lock.claims else [])):
        use_here(entry.sha256 if entry.origin is None else None, f"file {entry.path}")
    if lock.git is not None:
        use_here(lock.git.diff, "uncommitted changes")
    # What any other field refers to is needed as well.
    for digest in _DIGEST.findall(msgspec.json.encode(lock).decode()):
        if digest not in named and digest in store:
            use_here(digest, "the lock itself")


def _entries(store: Store, files: FileSet, what: str, *, strict: bool) -> tuple[FileEntry, ...]:
    """All files of a set; none when their list is lost, which is a fault of its own, unless ``strict``."""
    try:
        return store.entries(files, what=f"{what}s")
    except (InputError, OSError):
        if strict:
            raise
        return ()

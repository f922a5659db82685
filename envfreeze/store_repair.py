"""Puts back what a store has lost: bit rot, a truncated file, an object that somebody deleted.

Every content is written whole, held against its digest and synced before it takes its name, so that a kill at
any point leaves the damaged content or the right one. What is whole is never written.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path

import msgspec

from envfreeze import files
from envfreeze.observer.tapes import FOLDER
from envfreeze.progress import Progress
from envfreeze.records.files import FileEntry, FileSet
from envfreeze.records.lock import Lock
from envfreeze.records.tapes import TapeEntry
from envfreeze.store import Store, is_whole
from envfreeze.store_maintenance import Maintained, RepairedObject, locks_of, verify
from envfreeze.store_places import (
    Indexes,
    LockItself,
    Offer,
    Place,
    RecordedPaths,
    Replays,
    UnpackedBundle,
    named,
)


def repair(
    store: Store, sources: Sequence[Path] = (), *, offline: bool = False, progress: Progress
) -> Maintained:
    """Verify the store, and put back what is damaged or missing from wherever it still lies.

    Args:
        sources: bundles, unpacked bundles or other frozen folders to take contents from.
        offline: ask no package index.

    Returns:
        What is there now: ``repaired`` was put back, what is in ``damaged`` and ``missing`` is lost.

    Raises:
        InputError: a source is neither a bundle nor a frozen folder.
        OSError: the store cannot be written; what was put back until then is whole.
    """
    given = [named(path) for path in sources]
    warn = functools.cache(progress.warn)  # every sentence once
    whole: set[str] = set()
    repaired: dict[str, RepairedObject] = {}
    with store.locked("store verify --repair", on_wait=progress.warn):
        while True:  # a list that was put back tells of further contents
            found = verify(store, whole=whole)
            places = [*given, *_places(store, offline=offline, warn=warn)]
            again = dict(_put_back(store, found, places, leave=repaired.keys()))
            if not again:
                break
            repaired |= again
        tapes = [manifest for manifest in found.damaged_tapes if _put_tapes_back(store, manifest, given)]
    damaged_tapes = tuple(manifest for manifest in found.damaged_tapes if manifest not in tapes)
    restored = [*repaired.values(), *(RepairedObject(sha256=item, used_by=("tapes",)) for item in tapes)]
    return msgspec.structs.replace(found, repaired=tuple(restored), damaged_tapes=damaged_tapes)


def _put_back(
    store: Store, found: Maintained, places: Sequence[Place], leave: Container[str]
) -> Iterator[tuple[str, RepairedObject]]:
    users = {item.sha256: item.used_by for item in (*found.objects, *found.missing)}
    lost = (*found.damaged, *(item.sha256 for item in found.missing))
    for digest in (digest for digest in lost if digest not in leave):
        source = next(
            (offer.source for offer in _offers(places, digest) if store.restore(digest, offer.content)), None
        )
        if source is not None:
            yield digest, RepairedObject(sha256=digest, used_by=users[digest], source=source)


def _offers(places: Sequence[Place], digest: str) -> Iterator[Offer]:
    for place in places:
        yield from place.offers(digest)


def _places(store: Store, *, offline: bool, warn: Callable[[str], None]) -> Iterator[Place]:
    """Where contents may lie without the user's naming it; nearest first."""
    locks = [lock for _, lock in locks_of(store)]
    if store.bundle is not None:
        with contextlib.suppress(OSError):
            yield UnpackedBundle(store.bundle)
    for lock in locks:
        sets = _sets(lock)
        entries = [entry for files_of in sets for entry in _entries(store, files_of)]
        entries += [*lock.system.files, *([lock.claims] if lock.claims else [])]
        yield LockItself(sets)
        yield RecordedPaths(store, entries, lock)
        streams = [lock.run.stdout.sha256, lock.run.stderr.sha256] if lock.run is not None else []
        yield Replays(store, entries, streams)
    if not offline:
        yield Indexes([package for lock in locks for package in lock.packages], warn)


def _sets(lock: Lock) -> tuple[FileSet, ...]:
    return (lock.run.files, lock.run.outputs) if lock.run is not None else ()


def _entries(store: Store, wanted: FileSet) -> tuple[FileEntry, ...]:
    from envfreeze.errors import InputError

    try:
        return store.entries(wanted, what="files")
    except (InputError, OSError):
        return ()


def _put_tapes_back(store: Store, manifest: str, places: Sequence[Place]) -> bool:
    """Mend the tapes of a run; True when all of them are whole afterwards."""
    folder = store.root / FOLDER / manifest
    listing = folder / "manifest.json"
    if not _put_file_back(listing, manifest, places):
        return False
    try:
        entries = msgspec.json.decode(listing.read_bytes(), type=list[TapeEntry])
    except (msgspec.ValidationError, msgspec.DecodeError):
        return False
    if any("/" in entry.file or entry.file in (".", "..") for entry in entries):
        return False
    mended = [_put_file_back(folder / entry.file, entry.sha256, places) for entry in entries]
    return all(mended)


class _OtherContent(Exception):
    """An offered content was not the wanted one."""


def _put_file_back(path: Path, digest: str, places: Sequence[Place]) -> bool:
    """Tapes are private: no one but their owner may read them."""
    if is_whole(path, digest):
        return True
    for offer in _offers(places, digest):
        with contextlib.suppress(_OtherContent), files.replacing(path, mode=0o600) as stream:
            found = hashlib.sha256()
            for chunk in offer.content:
                found.update(chunk)
                stream.write(chunk)
            if found.hexdigest() != digest:
                raise _OtherContent
        if is_whole(path, digest):
            return True
    return False

"""Claims in the loop: stored at freeze, found again at replay, and checked on what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from envfreeze.claims import judge
from envfreeze.claims.read import NAME, Parsed, loads, read
from envfreeze.errors import InputError
from envfreeze.progress import Progress
from envfreeze.records import lockfile
from envfreeze.records.claims import ClaimResult
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.store import Store


def record(project: Path, store: Store, progress: Progress) -> FileEntry | None:
    """The project's ``claims.yaml``, taken into the store; None when there is none, or when it is faulty.

    The run may have taken days: a fault in the claims is told, and does not undo the freeze.
    """
    path = project / NAME
    if not path.is_file():
        return None
    try:
        read(path)
    except InputError as error:
        progress.warn(f"the claims were not recorded: {error}")
        return None
    digest, size = store.add_file(path)
    return FileEntry(path=NAME, size=size, sha256=digest, kind="claims")


def for_replay(lock: Lock, store: Store, given: Path | None, progress: Progress) -> tuple[Parsed, ...]:
    """The claims that a replay is judged by: those of the file that was given, or else the recorded ones.

    Raises:
        InputError: they cannot be read.
    """
    if given is not None:
        return read(given)
    today = store.root.parent / NAME
    if lock.claims is None or lock.claims.sha256 is None:
        if today.is_file():
            progress.warn(f"{NAME} is not part of the lock and is not used; use it with --claims {NAME}")
        return ()
    data = store.verified(lock.claims.sha256, what=f"the recorded {NAME}").read_bytes()
    if today.is_file() and today.read_bytes() != data:
        progress.warn(f"{NAME} has changed since the freeze; the recorded one is used")
    return loads(data, f"the recorded {NAME}")


def check(
    lock_path: Path, given: Path | None, progress: Progress
) -> tuple[tuple[Parsed, ...], tuple[ClaimResult, ...]]:
    """The claims held against the frozen run's outputs alone.

    Today's ``claims.yaml`` beside the lock is taken when there is one, as this is how claims are written.

    Raises:
        InputError: there are no claims, or they or the lock cannot be read.
    """
    from envfreeze.runs import original_side

    path = lockfile.locate(lock_path.absolute())
    lock, store = lockfile.read(path), Store(path.parent)
    if lock.run is None:
        raise InputError(
            f"{path} records an environment and no run, so there are no outputs to hold claims against.",
            hint="Freeze a run: envfreeze freeze -- python train.py",
        )
    today = path.parent / NAME
    claims: Sequence[Parsed]
    if given is not None or today.is_file():
        claims = read(given or today)
    else:
        claims = for_replay(lock, store, None, progress)
    if not claims:
        raise InputError(f"there is no {today}, and the lock records no claims.", hint=_HINT)
    side, _ = original_side(lock, store)
    return tuple(claims), judge.check(claims, side)


_HINT = "Write one, for example:  claims: [{id: accuracy, holds: 'metrics.json:accuracy >= 0.9'}]"

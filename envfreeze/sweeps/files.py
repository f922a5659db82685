"""Where sweeps lie, and how they are read back: as if a stranger had written them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.files import write
from envfreeze.records import jsonfile, lockfile
from envfreeze.records.sweep import Sweep, SweepRun
from envfreeze.store import Store

NAME = "sweep.json"
_IGNORED = "# The runs can be made again; sweep.json has their metrics.\n/runs/\n/lock\n"


def folder_of(store: Store, sweep_id: str) -> Path:
    """The sweep's folder."""
    return store.root / "sweeps" / sweep_id


def id_of(lock_digest: str, *parts: str) -> str:
    """12 hex digits that follow from all that decides the runs."""
    return hashlib.sha256("\0".join((lock_digest, *parts)).encode()).hexdigest()[:12]


def read(path: Path) -> Sweep:
    """The sweep of a file.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return jsonfile.read(path, Sweep, "a sweep")


def save(sweep: Sweep, folder: Path) -> None:
    """Write ``sweep.json`` whole or not at all."""
    if not (folder / ".gitignore").exists():
        write(folder / ".gitignore", _IGNORED.encode())
    write(folder / NAME, dumps(sweep))


def dumps(sweep: Sweep) -> bytes:
    """The content of ``sweep.json``."""
    return json.dumps(msgspec.to_builtins(sweep), indent=1).encode() + b"\n"


def finished(folder: Path) -> dict[int, SweepRun]:
    """The runs that are there, by number; damaged ones are not."""
    found = {}
    for path in folder.glob("runs/*/run.json"):
        with contextlib.suppress(OSError, ValueError, RecursionError, msgspec.ValidationError):
            run = msgspec.convert(json.loads(path.read_bytes()), SweepRun)
            if path.parent.name == str(run.number):
                found[run.number] = run
    return found


def keep_run(run: SweepRun, unfinished: Path, folder: Path) -> None:
    """Move a finished run to its place."""
    write(unfinished / "run.json", json.dumps(msgspec.to_builtins(run), indent=1).encode() + b"\n")
    final = folder / "runs" / str(run.number)
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        shutil.rmtree(final)
    unfinished.rename(final)
    final.chmod(0o755)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a second process from working on the same sweep.

    Raises:
        EnvironmentFailure: one is at work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EnvironmentFailure(
                f"another process is at work on the sweep {folder}.", hint="Wait for it, or end it."
            ) from None
        yield


def of_project(store: Store, lock_digest: str | None = None) -> list[tuple[Path, Sweep]]:
    """Folders and sweeps of a project, those with the most good runs first; damaged ones are left out.

    Args:
        lock_digest: only those of this lock.
    """
    found = []
    for path in sorted(store.root.glob(f"sweeps/*/{NAME}")):
        with contextlib.suppress(InputError):
            sweep = read(path)
            if lock_digest is None or sweep.lock == lock_digest:
                found.append((path.parent, sweep))
    return sorted(found, key=lambda item: -len(item[1].good))


def locate(path: Path) -> tuple[Path, Sweep]:
    """The sweep that ``path`` means: ``sweep.json``, its folder, a lock, or a project's with the most runs.

    Raises:
        InputError: there is none.
    """
    for file in (path, path / NAME):
        if file.name == NAME and file.is_file():
            return file.parent, read(file)
    lock = lockfile.locate(path)
    if lock.is_file():
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()
        if found := of_project(Store(lock.parent), digest):
            return found[0]
        raise InputError(f"{lock} has no sweep.", hint=f"Make one: envfreeze sweep {lock} --seeds 16")
    raise InputError(f"there is no sweep and no lock at {path}.", hint="Make one: envfreeze sweep --seeds 16")

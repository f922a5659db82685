"""Drift: whether what is here is still what the lock describes.

To add an area, add a file with ``AREA = Area(name=…, summary=…, look=…)``; the registry finds it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from envfreeze.errors import InputError
from envfreeze.records import lockfile
from envfreeze.records.base import Record
from envfreeze.records.lock import Lock
from envfreeze.records.status import Change, Status
from envfreeze.store import Store


class Here:
    """The lock, and where it is held against: a project folder, its Python and the variables."""

    def __init__(
        self, lock: Lock, project: Path, *, python: str | None, environment: Mapping[str, str]
    ) -> None:
        self.lock, self.project, self.environment = lock, project, environment
        self.store = Store(project)
        self._python = python

    @cached_property
    def executable(self) -> str:
        """The interpreter to look at: the given one, the frozen one while it exists, else ``python``.

        Raises:
            InputError: there is none.
        """
        from envfreeze.observer import target

        recorded = self.lock.interpreter.executable
        if self._python is None and recorded and os.access(recorded, os.X_OK):
            return recorded
        return self._python or target.find(self.environment)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What that interpreter says of itself (``observer/agent/inspect_target.py``).

        Raises:
            InputError: it is none.
            EnvironmentFailure: it does not answer.
        """
        from envfreeze.observer import target

        return target.examine(self.executable, self.environment, self.project)


class Looked(Record):
    """What one area found."""

    count: int
    """How many things were compared."""
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()


class Area(Record):
    """One kind of thing that can drift."""

    name: str
    summary: str
    look: Callable[[Here], Looked]


def areas() -> dict[str, Area]:
    """All areas by name."""
    from envfreeze import drift as family
    from envfreeze.registry import members

    return {found.name: found for found in members(family, "AREA", Area)}


def status(
    lock_path: Path | str = lockfile.NAME,
    *,
    only: Sequence[str] = (),
    python: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Status:
    """Hold what is here against the lock; nothing is run but the interpreter, to name its packages.

    Args:
        lock_path: a lockfile, or the folder that it lies in.
        only: names of areas; empty means all.
        python: the interpreter to look at; by default the frozen one, or else the one that ``python`` means.
        environment: variables; by default this process's.

    Raises:
        InputError: the lock or its list of files cannot be read, an area has no such name, or there is no
            interpreter to look at.
    """
    known = areas()
    for name in only:
        if name not in known:
            raise InputError(f"there is no area {name!r} to look at.", hint=f"There are: {', '.join(known)}.")
    path = lockfile.locate(Path(lock_path).absolute())
    here = Here(
        lockfile.read(path),
        path.parent,
        python=python,
        environment=os.environ if environment is None else environment,
    )
    looked = {name: known[name].look(here) for name in known if not only or name in only}
    changes = tuple(change for found in looked.values() for change in found.changes)
    return Status(
        lock=str(path),
        drifted=bool(changes),
        changes=changes,
        notes=tuple(note for found in looked.values() for note in found.notes),
        looked={name: found.count for name, found in looked.items()},
    )

"""Exports: the lock's environment in the formats of other tools, each accepted by the tool itself.

To add one, add a file with ``EXPORT = Export(name=…, summary=…, files=…, render=…)``; the registry finds it.
"""

from __future__ import annotations

from collections.abc import Callable

from envfreeze.errors import InputError
from envfreeze.records.base import Record
from envfreeze.records.lock import Lock

Render = Callable[[Lock, str], tuple[str, ...]]
"""Takes the lock and the folder of vendored wheels, relative to the exported files; returns a text a file.

Raises InputError when the environment cannot be said in that format.
"""


class Export(Record):
    """One format."""

    name: str
    summary: str
    """Which command takes it, for ``--help``."""
    files: tuple[str, ...]
    """Paths that the tool expects, relative to the export; more than one when a format needs them."""
    render: Render
    unmarked: tuple[str, ...] = ()
    """Those of ``files`` that cannot say who made them, as their format has no comments."""
    context: str | None = None
    """Folder, relative to the export, that gets Dockerfile and what it copies (``write_project``)."""
    code: str | None = None
    """Folder, relative to the export, that gets the recorded files of the project."""


def exports() -> dict[str, Export]:
    """All formats by name."""
    from envfreeze import exports as family
    from envfreeze.registry import members

    return {found.name: found for found in members(family, "EXPORT", Export)}


def render(name: str, lock: Lock, wheels: str) -> dict[str, str]:
    """File names and texts of one format.

    Raises:
        InputError: there is no such format, or it cannot hold this lock.
    """
    known = exports()
    if name not in known:
        raise InputError(f"there is no export called {name!r}.", hint=f"There are: {', '.join(known)}.")
    export = known[name]
    return dict(zip(export.files, export.render(lock, wheels), strict=True))

"""The files that the run read: code, configuration and data, by their content."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from envfreeze import files
from envfreeze.drift import Area, Here, Looked
from envfreeze.records.files import FileEntry
from envfreeze.records.observation import Observation
from envfreeze.records.status import Change
from envfreeze.snapshot import Digests

_OWN = frozenset({"code", "configuration", ""})
"""Classes that a project is nothing without; data may well lie on another machine."""


def look(here: Here) -> Looked:
    """Compare digests; a file whose size and times are those of the freeze is not read again.

    What the run itself wrote over a file that it had read is no change.
    """
    run = here.lock.run
    if run is None:
        return Looked(count=0, notes=("the lock records no run, and so no files",))
    entries = here.store.entries(run.files, what="the list of the run's files")
    written = {entry.path: entry for entry in here.store.entries(run.outputs, what="the list of outputs")}
    digests = Digests(here.store.root / "digests")
    found = files.in_parallel(lambda entry: _state(entry, here.project, digests), entries)
    digests.save()
    changes, elsewhere = [], []
    for entry, now in zip(entries, found, strict=True):
        made = written.get(entry.path)
        if now == _recorded(entry) or (made is not None and now == _recorded(made)):
            continue
        if now is None and (entry.kind not in _OWN or entry.path.startswith("/")):
            elsewhere.append(entry.path)
        else:
            changes.append(_change(entry, now))
    return Looked(
        count=len(entries) - len(elsewhere),
        changes=(*changes, *_appeared(run, here.project, written)),
        notes=_not_here(elsewhere),
    )


def _recorded(entry: FileEntry) -> str:
    return f"-> {entry.link}" if entry.link is not None else str(entry.sha256)


def _state(entry: FileEntry, project: Path, digests: Digests) -> str | None:
    """Digest or link target as it is now; None when there is nothing, or nothing that can be read."""
    path = os.path.join(project, entry.path)  # noqa: PTH118 - names that are not valid UTF-8
    try:
        if entry.link is not None:
            return f"-> {os.readlink(path)}"  # noqa: PTH115
        status = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(status.st_mode):
            return None
        digest = digests.get(status)
        if digest is None:
            digest = files.sha256(path)
            digests.put(status, digest)
        return digest
    except OSError:
        return None


def _change(entry: FileEntry, now: str | None) -> Change:
    if now is None:
        return Change(area="files", name=entry.path, what="missing")
    frozen = _recorded(entry)
    return Change(area="files", name=entry.path, what="changed", frozen=frozen[:12], now=now[:12])


def _appeared(run: Observation, project: Path, written: dict[str, FileEntry]) -> list[Change]:
    """Files that the run looked for in vain, and would find now."""
    return [
        Change(area="files", name=path, what="new")
        for path in run.absent
        if path not in written and (project / path).is_file()
    ]


def _not_here(paths: list[str]) -> tuple[str, ...]:
    if not paths:
        return ()
    named = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    return (f"not on this machine, so not compared: {named}",)


AREA = Area(name="files", summary="code, configuration and data that the run read", look=look)

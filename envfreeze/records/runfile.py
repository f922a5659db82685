"""``run.json``, the record of a replay, in the replay's folder: read as if a stranger had written it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from envfreeze.records import jsonfile
from envfreeze.records.run import Run

NAME = "run.json"


def read(folder: Path) -> Run:
    """The record of the replay that lies in ``folder``.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return jsonfile.read(folder / NAME, Run, "a replay")


def dumps(run: Run) -> bytes:
    """The content of ``run.json``."""
    return json.dumps(msgspec.to_builtins(run), indent=2).encode() + b"\n"


def of_project(project: Path) -> list[Path]:
    """Folders of the replays of a project, the newest first."""
    found = (project / ".envfreeze" / "runs").glob(f"*/{NAME}")
    return sorted((path.parent for path in found), key=lambda folder: folder.name, reverse=True)

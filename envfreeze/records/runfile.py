"""``run.json``, the record of a replay, in the replay's folder: read as if a stranger had written it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from envfreeze.errors import InputError
from envfreeze.records.run import Run

NAME = "run.json"
MAX_SIZE = 256 << 20
"""Bytes; far above any record that was written."""


def read(folder: Path) -> Run:
    """The record of the replay that lies in ``folder``.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = folder / NAME
    try:
        if path.stat().st_size > MAX_SIZE:
            raise InputError(f"{path} is larger than {MAX_SIZE >> 20} MiB, so no record of a replay.")
        return msgspec.convert(json.loads(path.read_bytes()), Run)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {(error.strerror or 'error').lower()}.") from None
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise InputError(f"{path} is no record of a replay: {error}.") from None


def dumps(run: Run) -> bytes:
    """The content of ``run.json``."""
    return json.dumps(msgspec.to_builtins(run), indent=2).encode() + b"\n"


def of_project(project: Path) -> list[Path]:
    """Folders of the replays of a project, the newest first."""
    found = (project / ".envfreeze" / "runs").glob(f"*/{NAME}")
    return sorted((path.parent for path in found), key=lambda folder: folder.name, reverse=True)

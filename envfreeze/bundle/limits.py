"""What a stranger's program may take of this machine: generous for an experiment, and an end for a bomb."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from envfreeze.records.lock import Lock
from envfreeze.records.run import Limits

_MEMORY = 0.9
"""Of this machine's: what it needs itself is left."""
_SHORTEST = 3600.0
"""Seconds, for runs that were short; other machines are slower, and emulated ones much slower."""
_TIMES_LONGER = 50
_LEAST_DISK = 10 << 30
_TIMES_LARGER = 20
_RESERVE = 1 << 30
"""Bytes of the disk that stay free in any case."""


def for_stranger(limits: Limits | None, lock: Lock, folder: Path) -> Limits:
    """The given limits, and in the place of those that are not given ones made from what was recorded.

    Args:
        folder: on the disk that the run takes its room from.
    """
    import psutil

    given = limits or Limits()
    duration = lock.run.duration if lock.run is not None else 0.0
    recorded = lock.run.files.size + lock.run.outputs.size if lock.run is not None else 0
    room = max(_RESERVE, shutil.disk_usage(folder).free - _RESERVE)
    return msgspec.structs.replace(
        given,
        memory=given.memory or int(psutil.virtual_memory().total * _MEMORY),
        timeout=given.timeout or max(_SHORTEST, _TIMES_LONGER * duration),
        disk=given.disk or min(room, max(_LEAST_DISK, _TIMES_LARGER * recorded)),
    )

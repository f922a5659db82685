"""Files of the system in a local run: those that this machine lacks or has otherwise are laid out."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from envfreeze.files import sha256
from envfreeze.records.files import FileEntry
from envfreeze.records.run import Job


def with_system_files(job: Job) -> Job:
    """The job with these among its files, at their paths."""
    missing = tuple(entry for entry in job.system if not _is_here(entry))
    return msgspec.structs.replace(job, files=job.files + missing, system=())


def _is_here(entry: FileEntry) -> bool:
    """Whether this machine's own file is the same, and stays to be seen in a run."""
    if not entry.path.startswith(("/usr/", "/lib", "/etc/", "/opt/")):
        return False
    try:
        if entry.link is not None:
            return os.readlink(entry.path) == entry.link  # noqa: PTH115
        path = Path(entry.path)
        return path.is_file() and path.stat().st_size == entry.size and sha256(path) == entry.sha256
    except OSError:
        return False

"""The recorded command, fitted to the environment and to the folders that it finds in a local run."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from envfreeze.engines._local_environment import Environment
from envfreeze.records.files import FileEntry
from envfreeze.records.run import Job

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INTERPRETER = re.compile(r"(python|pypy)[0-9.]*")


class Fitted(NamedTuple):
    """What is started: argv, working directory and variables, and what was changed for it."""

    command: tuple[str, ...]
    directory: str
    variables: dict[str, str]
    notes: tuple[str, ...]


def fit(job: Job, environment: Environment, *, project: str, home: str, temporary: str) -> Fitted:
    """Fit a job to a run whose project folder, home and temporary folder are the ones given."""
    notes = []
    command = [moved(word, job.project, project) for word in job.command]
    if command and (program := _own_program(job, environment)):
        notes.append(f"{job.command[0]} is the environment's own {program.name} here")
        command[0] = str(program)
    if project != job.project:
        notes.append(f"the project lies at {project} instead of {job.project}")
    variables = {name: moved(value, job.project, project) for name, value in job.environment.items()}
    variables |= {
        "PATH": f"{environment.programs}:{_SYSTEM_PATH}",
        "CONDA_PREFIX" if environment.conda else "VIRTUAL_ENV": environment.path,
        "HOME": home,
        "TMPDIR": temporary,
    }
    variables.setdefault("LANG", "C.UTF-8")
    directory = PurePosixPath(job.directory)
    if directory.is_relative_to(job.project):
        directory = project / directory.relative_to(job.project)
    return Fitted(tuple(command), str(directory), variables, tuple(notes))


def moved(text: str, old: str, new: str) -> str:
    """The text with paths below ``old`` led to ``new``: a word, a list with ``:``, or ``--option=path``."""
    if old == new or old == "/":
        return text
    return re.sub(rf"(^|[:=]){re.escape(old)}(?=$|[/:])", lambda found: found[1] + new, text)


def with_links_moved(job: Job, project: str) -> list[FileEntry]:
    """The job's files, with links into the original project leading into the new one."""
    return [
        entry
        if entry.link is None
        else msgspec.structs.replace(entry, link=moved(entry.link, job.project, project))
        for entry in job.files
    ]


def _own_program(job: Job, environment: Environment) -> Path | None:
    """The environment's program, when the command names one by a path that led into the original environment.

    A script of the project keeps its own path, and a plain name is found on the PATH.
    """
    first = job.command[0]
    if "/" not in first:
        return None
    full = os.path.normpath(PurePosixPath(job.directory) / first)
    recorded = {os.path.normpath(PurePosixPath(job.project) / entry.path) for entry in job.files}
    own = environment.programs / PurePosixPath(first).name
    if full in recorded:
        return None
    if not own.exists() and _INTERPRETER.fullmatch(own.name):
        own = environment.programs / "python"
    return own if own.exists() else None

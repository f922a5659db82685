"""Where the parts of a run lie for the command, and what the run's record says about its isolation."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from envfreeze.engines import _local_sandbox as sandbox
from envfreeze.engines._local_environment import Environment
from envfreeze.engines._workspace import Workspace
from envfreeze.records.run import Gpus, Job


class View(NamedTuple):
    """The paths that the command sees, and how what it sees is made."""

    kind: sandbox.Kind
    project: str
    home: str
    temporary: str
    mounts: tuple[sandbox.Mount, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def isolated(self) -> bool:
        return self.kind.startswith("bubblewrap")


def view(job: Job, environment: Environment, workspace: Workspace, scratch: Path) -> View:
    """Make the home and temporary folders in ``scratch``, and decide where everything is seen."""
    kind = sandbox.best()
    home, temporary = scratch / "home", scratch / "tmp"
    home.mkdir()
    temporary.mkdir()
    temporary.chmod(0o1777)
    if not kind.startswith("bubblewrap"):
        if "HOME" in job.environment:
            home = workspace.place(os.path.normpath(f"/{job.environment['HOME']}"))
            home.mkdir(parents=True, exist_ok=True)
        return View(kind, str(workspace.project), str(home), str(temporary), notes=_outside_notes(job))
    project = job.project if sandbox.possible(job.project) else sandbox.ELSEWHERE
    recorded_home = job.environment.get("HOME", "")
    home_here = recorded_home if recorded_home and not sandbox.is_system(recorded_home) else sandbox.HOME
    outside, notes = _outside(job, workspace)
    mounts = [
        sandbox.Mount("/tmp", temporary, True),  # noqa: S108 - inside the sandbox
        sandbox.Mount("/var/tmp", temporary, True),  # noqa: S108
        sandbox.Mount(home_here, home, True),
        *outside,
        sandbox.Mount(project, workspace.project, True),
        *_environment(environment),
        *(sandbox.Mount(mount.path, Path(mount.source)) for mount in job.mounts),
    ]
    return View(kind, project, home_here, "/tmp", tuple(mounts), notes)  # noqa: S108


def _environment(environment: Environment) -> Iterator[sandbox.Mount]:
    """The environment, and the installation that it was made from, at the paths that lead to it."""
    yield sandbox.Mount(environment.path, Path(environment.path))
    prefix = environment.python.prefix
    for path in dict.fromkeys((prefix, os.path.realpath(prefix))):
        if path not in sandbox.SYSTEM and not sandbox.is_system(path):
            yield sandbox.Mount(path, Path(path))


def _outside(job: Job, workspace: Workspace) -> tuple[list[sandbox.Mount], tuple[str, ...]]:
    """Folders outside of the project: those with recorded files or outputs are fresh and writable.

    A folder of the system is never hidden; a recorded file in one takes the place of the machine's.
    """
    files = [entry.path for entry in job.files if entry.path.startswith("/")]
    wanted = {*job.writable, job.directory, *(str(PurePosixPath(path).parent) for path in files)}
    wanted = {path for path in wanted if not _below(path, job.project)}
    folders = {path for path in wanted if not sandbox.is_system(path)}
    folders = {path for path in folders if not any(_below(path, other) for other in folders - {path})}
    mounts = []
    for path in folders:
        workspace.place(path).mkdir(parents=True, exist_ok=True)
        mounts.append(sandbox.Mount(path, workspace.place(path), True))
    single = [path for path in files if not any(_below(path, folder) for folder in folders)]
    single = [path for path in single if not _below(path, job.project)]
    mounts += [
        sandbox.Mount(os.path.realpath(path), workspace.place(path))
        for path in single
        if sandbox.possible(path)
    ]
    unplaced = sorted(path for path in single if not sandbox.possible(path))
    refused = sorted(set(job.writable) - {path for path in job.writable if _under_any(path, folders, job)})
    notes = [f"{path} belongs to the system and was not writable" for path in refused]
    if unplaced:
        notes.append(f"this machine's own files are used instead of: {', '.join(unplaced[:5])}")
    return mounts, tuple(notes)


def _under_any(path: str, folders: set[str], job: Job) -> bool:
    return any(_below(path, folder) for folder in (*folders, job.project))


def _below(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)


def _outside_notes(job: Job) -> tuple[str, ...]:
    paths = [entry.path for entry in job.files if entry.path.startswith("/")]
    paths += job.writable
    if not paths:
        return ()
    return (
        "files outside of the project are this machine's own where the program's own text names them by an "
        f"absolute path, for example {paths[0]}; with bubblewrap installed they would be the recorded ones",
    )


class Wrapped(NamedTuple):
    """What to start, the descriptors that it inherits, and a test of whether the command was reached."""

    command: list[str]
    descriptors: tuple[int, ...]
    reached: Callable[[], bool]


@contextlib.contextmanager
def wrapped(
    seen: View, command: tuple[str, ...], directory: str, *, network: bool, gpus: Gpus | None = None
) -> Iterator[Wrapped]:
    """The command inside of its isolation."""
    # The shell says what a shell says when a command does not exist, with its exit status.
    started = ["/bin/sh", "-c", 'exec "$@"', "sh", *command]
    if not seen.isolated:
        if seen.kind == "network namespace" and not network:
            loopback = 'ip link set lo up 2>/dev/null; exec "$@"'
            started = ["unshare", "-rn", "/bin/sh", "-c", loopback, "sh", *command]
        yield Wrapped(started, (), lambda: True)
        return
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    wrapper = sandbox.bubblewrap(
        seen.kind,
        seen.mounts,
        network=network,
        directory=directory,
        status_fd=writer,
        gpus=(gpus.vendor,) if gpus else (),
    )
    try:
        yield Wrapped(wrapper + started, (writer,), lambda: _reported_end(reader))
    finally:
        os.close(reader)
        os.close(writer)


def _reported_end(status: int) -> bool:
    """bwrap reports an exit code only for a command that it got to start (bwrap(1), --json-status-fd)."""
    with contextlib.suppress(BlockingIOError, ValueError):
        return any("exit-code" in json.loads(line) for line in os.read(status, 1 << 16).splitlines())
    return False


def isolated(seen: View, *, network: bool) -> tuple[str, ...]:
    """What was kept apart, in words."""
    parts = ["environment variables", "home folder"]
    if not network and seen.kind != "nothing":
        parts.append("network: none")
    if seen.isolated:
        parts.append("file system: the system read-only, the project's recorded files, and nothing else")
        parts.append("privileges: none can be gained")
    if seen.kind == "bubblewrap":
        parts.append("processes")
    return tuple(parts)


def not_isolated(seen: View, *, network: bool) -> tuple[str, ...]:
    """What was this machine's, in words."""
    libc = " ".join(part for part in platform.libc_ver() if part) or "this machine's"
    parts = [f"kernel: {platform.system()} {platform.release()}", f"C library: {libc}", "system libraries"]
    if network:
        parts.append("network: allowed")
    elif seen.kind == "nothing":
        parts.append("network: this machine's, as nothing here can take it away")
    if not seen.isolated:
        parts.append("file system: the command could read and write whatever its user can")
    if seen.kind != "bubblewrap":
        parts.append("processes: it could see and signal its user's")
    return tuple(parts)

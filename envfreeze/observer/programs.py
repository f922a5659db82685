"""Which Pythons ran, which of them is the target, and whether other programs could have read files."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from envfreeze.observer.events import Events, Process, Program
from envfreeze.observer.questions import QUESTIONS
from envfreeze.records.files import Gap
from envfreeze.store import FOLDER

_PYTHON = re.compile(r"(python|pypy)\d*(\.\d+)*(t|d|m)?")

_WRAPPERS = frozenset(
    {"uv", "time", "nice", "ionice", "taskset", "numactl", "nohup", "timeout", "stdbuf", "env",
     "setarch", "chrt", "setsid", "poetry", "pdm", "hatch", "conda", "mamba", "micromamba", "pixi",
     "rye", "pipenv", "direnv", "xvfb-run"}
)  # fmt: skip
"""Programs that only start another one, so that a Python directly below them is what was meant."""


def target_first(processes: Sequence[Process], project: Path) -> list[Process]:
    """All Pythons, first the one that the lock describes.

    That is the first that was told to run a file of the project, or that read one of its modules; else the
    first at all.
    """
    own = [process for process in processes if process.executable]
    for process in own:
        if _runs_the_project(process, project):
            return [process, *(other for other in own if other is not process)]
    return own


def _runs_the_project(process: Process, project: Path) -> bool:
    roots = {os.path.realpath(project) + "/", f"{project}/"}
    for argument in process.argv[1:]:
        path = os.path.normpath(os.path.join(process.directory, argument))  # noqa: PTH118
        if path.startswith(tuple(roots)) and os.path.isfile(path):  # noqa: PTH113
            return True
    inside_environment = tuple(
        f"{prefix}/" for prefix in (process.prefix, process.base_prefix) if prefix and prefix != str(project)
    )
    return any(
        path.endswith(".py")
        and path.startswith(tuple(roots))
        and not path.startswith(inside_environment)
        and f"/{FOLDER}/" not in path  # the agent itself
        for path in process.read
    )


def interpreters(processes: Sequence[Process]) -> tuple[tuple[str, ...], tuple[Gap, ...]]:
    """All distinct executables in the given order, and a gap when they belong to several environments."""
    executables = tuple(dict.fromkeys(process.executable for process in processes))
    prefixes = tuple(dict.fromkeys(process.prefix for process in processes))
    if len(prefixes) < 2:
        return executables, ()
    others = ", ".join(prefixes[1:4])
    why = f"the lock describes the one in {prefixes[0]}; the run also used {others}"
    return executables, (Gap(what="more than one Python environment", why=why),)


def executable_by_name(program: str) -> str | None:
    """The interpreter that a command names itself, for a Python that could not be seen from inside."""
    return program if _PYTHON.fullmatch(Path(program).name) else None


def untraced_by_shim(root: str, pid: int, events: Events) -> tuple[str, ...]:
    """Names of programs that were started and did not load the shim: static or set-user-ID ones.

    Args:
        root: path of the command's own program.
        pid: its process.
    """
    loaded = {os.path.realpath(image.program) for image in events.images}
    started = [] if any(image.pid == pid for image in events.images) else [root]
    started += sorted(events.started)
    missing = (path for path in started if os.path.realpath(path) not in loaded and _is_binary(path))
    return tuple(dict.fromkeys(path.rpartition("/")[2] for path in missing))


def _is_binary(path: str) -> bool:
    """True for an ELF file: a script is run by its interpreter, and a wrong guess of PATH by nobody."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - names that are not valid UTF-8
            return stream.read(4) == b"\x7fELF"
    except OSError:
        return False


def untraced(
    command: Sequence[str],
    root: str,
    pid: int,
    events: Events,
    environment: Mapping[str, str],
) -> tuple[str, ...]:
    """Names of programs in the run whose reads nobody reported, in the order of their start.

    Args:
        root: path of the command's own program.
        pid: its process.
    """
    found: dict[str, None] = {}
    is_python = any(process.pid == pid for process in events.processes)
    wraps = Path(root).name in _WRAPPERS and any(process.ppid == pid for process in events.processes)
    if not is_python and not wraps:
        found[Path(command[0]).name] = None
    for program in events.programs:
        if name := _reader(program, environment):
            found[name] = None
    return tuple(found)


_OPEN_BY_PYTHON = frozenset({"numpy", "pandas", "scipy", "sklearn"})
"""Packages whose compiled parts get open files from Python (``open``), and name none to the C library."""

_INSTALLED = re.compile(r"/(?:site|dist)-packages/([^/.]+)(?:\.[^/]*)?(?:/|$)")


def compiled_modules(events: Events, project: Path) -> tuple[str, ...]:
    """Compiled modules that may open files by themselves, which an audit hook (PEP 578) does not see.

    Those of the standard library and of a few packages open files by Python's own functions.
    """
    found: set[str] = set()
    for path in events.libraries:
        if match := _INSTALLED.search(path):
            found |= {match[1]} - _OPEN_BY_PYTHON if ".libs/" not in path else set()
        elif path.startswith(f"{project}/") and path.endswith(".so"):
            found.add(path.rpartition("/")[2].partition(".")[0])
    return tuple(sorted(found))


def _reader(program: Program, environment: Mapping[str, str]) -> str | None:
    """The name of a program that may read files of the project without being seen, or None."""
    name = program.program.rpartition("/")[2]
    if name in ("sh", "bash", "dash") and len(program.argv) == 3 and program.argv[1] == "-c":
        words = program.argv[2].split()
        if words and not re.search(r"[;&|<>$`(){}\n]", program.argv[2]):
            return _reader(Program(program=words[0], argv=tuple(words)), environment)
        return name
    if name in QUESTIONS or _PYTHON.fullmatch(name):
        return None
    path = program.program if "/" in program.program else shutil.which(name, path=environment.get("PATH"))
    return None if path is None or _is_python_script(path) else name


def _is_python_script(path: str) -> bool:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - names that are not valid UTF-8
            line = stream.readline(256)
            # Long or spaced interpreter paths: pip writes "#!/bin/sh" and then "'''exec' …/python".
            return line.startswith(b"#!") and (b"python" in line or b"python" in stream.readline(512))
    except OSError:
        return False

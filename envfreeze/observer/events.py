"""Reads what the agents and the shim reported. The watched processes wrote it, so nothing is trusted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from envfreeze.determinism._kernels import KERNELS
from envfreeze.gpu_files import is_device
from envfreeze.observer.inject import LOST, SHIM
from envfreeze.observer.questions import own_files, own_libraries
from envfreeze.observer.shim_log import Image, read_images, read_started, read_traced
from envfreeze.records.base import Record

MOST_BYTES = 1 << 30
"""Of one report that are read; an honest one has a hundred bytes a file."""


_AT_THE_END = (1 << 63) - 1
"""When a loaded library was read: the loader opens it unseen, so that nothing earlier is known."""


class Process(Record, forbid_unknown_fields=False):
    """One Python of the run, as it said of itself at its start."""

    executable: str = ""
    version: str = ""
    prefix: str = ""
    base_prefix: str = ""
    argv: tuple[str, ...] = ()
    """The whole command line, the interpreter first."""
    directory: str = ""
    pid: int = 0
    ppid: int = 0
    forked: bool = False
    """True for a child that a Python forked without starting another program."""
    path: tuple[str, ...] = ()
    """``sys.path`` at startup."""
    editable: tuple[str, ...] = ()
    """Sources of editable installs."""
    pycache_prefix: str = ""
    read: frozenset[str] = frozenset()
    """Absolute paths, as opened; compiled modules are given as their sources."""
    written: frozenset[str] = frozenset()
    """Absolute paths, as opened."""


class Program(Record):
    """A program that a Python started."""

    program: str
    argv: tuple[str, ...] = ()


class Events(Record):
    """All reports of a run together."""

    processes: tuple[Process, ...] = ()
    """In the order of their start."""
    read: dict[str, int] = {}
    """Absolute paths opened for reading, each with the time (ns) of the first."""
    written: dict[str, int] = {}
    """Absolute paths opened for writing or replaced, each with the time (ns) of the first."""
    programs: tuple[Program, ...] = ()
    images: tuple[Image, ...] = ()
    """What the shim and the tracer saw of each program; empty when there is neither."""
    traced: tuple[Image, ...] = ()
    """Every program that the tracer saw; empty when there was none."""
    started: frozenset[str] = frozenset()
    """Paths of programs that were about to be started, as the shim saw it."""
    libraries: tuple[str, ...] = ()
    """Shared libraries, locales and devices of GPUs mapped at the end of any process."""
    numerics: tuple[dict[str, Any], ...] = ()
    parameters: tuple[tuple[str, str, str, str, str], ...] = ()
    """Owner, name, value, source and origin, each as an agent said it."""
    variables: tuple[tuple[str, bool, str], ...] = ()
    """Variables of the environment that the project's code read: name, whether it was set, where."""
    parameter_errors: int = 0
    """How often an agent failed to see a parameter."""
    parameter_error: str = ""
    """The first failure of these."""
    lost: bool = False
    """True when a program could not write down all that it did."""
    errors: int = 0
    """How often an agent failed."""
    error: str = ""
    """The first failure."""


def read_events(folder: Path) -> Events:
    """Everything that the agents reported below ``folder``; damaged lines are passed over."""
    events = _merge(_reports(sorted(folder.glob("*.events"), key=_start)))
    traced = read_traced(folder)
    images = read_images(folder)
    events = _with_images(events, (*images, *traced), read_started(folder))
    lost = any(image.ceased for image in (*images, *traced)) or _is_marked(folder / LOST)
    return msgspec.structs.replace(events, images=(*images, *traced), traced=traced, lost=lost)


def _is_marked(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(1) not in (b"", b"\0")
    except OSError:
        return False


def _with_images(events: Events, images: tuple[Image, ...], started: frozenset[str]) -> Events:
    """Add what the shim and the tracer saw; of each path the first time counts, whoever saw it."""
    pycache = {process.pid: process.pycache_prefix for process in events.processes}
    read, written = dict(events.read), dict(events.written)
    own: dict[int, set[str]] = {process.pid: set(process.read) for process in events.processes}
    for image in images:
        seen = own.get(image.pid, set())
        for path, when in image.read.items() if not own_files(image.program) else ():
            path = source_of(path, pycache.get(image.pid, ""))
            read[path] = min(when, read.get(path, when))
            seen.add(path)
        for path, when in image.written.items():
            written[path] = min(when, written.get(path, when))
    ours = {name(path) for path in (SHIM, KERNELS) for name in (os.fspath, os.path.realpath)}
    loaders = [image for image in images if not own_libraries(image.program)]
    libraries = {*events.libraries, *(library for image in loaders for library in image.libraries)}
    for path in libraries:
        if not is_device(path):
            read.setdefault(path, _AT_THE_END)
    read = {path: when for path, when in read.items() if path not in ours}
    return msgspec.structs.replace(
        events,
        processes=tuple(
            msgspec.structs.replace(process, read=frozenset(own[process.pid])) for process in events.processes
        ),
        read=read,
        written=written,
        started=started,
        libraries=tuple(sorted(libraries)),
    )


def _start(path: Path) -> tuple[int, str]:
    number = path.stem.rpartition("-")[2]
    return (int(number) if number.isdecimal() else 0, path.name)


def _reports(paths: Iterable[Path]) -> Iterator[list[Any]]:
    for path in paths:
        lines = []
        with path.open("rb") as stream:
            for line in stream.read(MOST_BYTES).splitlines():
                try:
                    lines.append(json.loads(line))
                except (ValueError, RecursionError):
                    continue  # the process was killed while it wrote
        yield lines


def _merge(reports: Iterable[list[Any]]) -> Events:
    processes: list[Process] = []
    read: dict[str, int] = {}
    written: dict[str, int] = {}
    programs: dict[Program, None] = {}
    libraries: set[str] = set()
    numerics: dict[str, dict[str, Any]] = {}
    parameters: dict[tuple[str, str, str, str, str], None] = {}
    variables: dict[tuple[str, bool, str], None] = {}
    parameter_errors, parameter_error = 0, ""
    errors, error = 0, ""
    for lines in reports:
        process = _process(lines)
        own: set[str] = set()
        own_written: set[str] = set()
        for line in lines:
            match line:
                case ["r", int(when), str(path)]:
                    path = source_of(path, process.pycache_prefix)
                    own.add(path)
                    read[path] = min(when, read.get(path, when))
                case ["w", int(when), str(path)]:
                    written[path] = min(when, written.get(path, when))
                    own_written.add(path)
                case ["p", int(), str(program), list(argv)]:
                    programs[Program(program=program, argv=tuple(map(str, argv)))] = None
                case ["h", str(owner), list(rows)]:
                    parameters |= {(owner, *row): None for row in rows if _is_parameter(row)}
                case ["e", str(name), bool(is_set), str(place)]:
                    variables[(name, is_set, place)] = None
                case {"libraries": list(found), "numerics": list(facts)}:
                    libraries.update(path for path in found if isinstance(path, str))
                    numerics |= {_key(fact): fact for fact in facts if isinstance(fact, dict)}
            if isinstance(line, dict) and isinstance(line.get("errors"), int):
                errors += line["errors"]
                error = error or str(line.get("error", ""))
            if isinstance(line, dict) and isinstance(line.get("parameter_errors"), int):
                parameter_errors += line["parameter_errors"]
                parameter_error = parameter_error or str(line.get("parameter_error", ""))
        own_files = {"read": frozenset(own), "written": frozenset(own_written)}
        processes.append(msgspec.structs.replace(process, **own_files))
    return Events(
        processes=tuple(processes),
        read=read,
        written=written,
        programs=tuple(programs),
        libraries=tuple(sorted(libraries)),
        numerics=tuple(numerics.values()),
        parameters=tuple(parameters),
        variables=tuple(variables),
        parameter_errors=parameter_errors,
        parameter_error=parameter_error,
        errors=errors,
        error=error,
    )


def _process(lines: list[Any]) -> Process:
    try:
        return msgspec.convert(lines[0] if lines else {}, Process)
    except msgspec.ValidationError:
        return Process()


def _is_parameter(row: Any) -> bool:
    return isinstance(row, list) and len(row) == 4 and all(isinstance(part, str) for part in row)


def _key(fact: dict[str, Any]) -> str:
    return json.dumps(fact, sort_keys=True)


def source_of(path: str, pycache_prefix: str = "") -> str:
    """The source of a compiled module (PEP 3147), any other path as it is.

    ``a/__pycache__/m.cpython-311.opt-1.pyc`` stands for ``a/m.py``. A fresh compiled module is all that an
    import opens; the source's content is what it was made from.
    """
    folder, _, name = path.rpartition("/")
    if not name.endswith(".pyc") or "." not in name[:-4]:
        return path
    module = name.split(".", 1)[0]
    if folder.endswith("/__pycache__"):
        return f"{folder.removesuffix('/__pycache__')}/{module}.py"
    if pycache_prefix and folder.startswith(pycache_prefix.rstrip("/") + "/"):
        return f"{folder[len(pycache_prefix.rstrip('/')) :]}/{module}.py"
    return path

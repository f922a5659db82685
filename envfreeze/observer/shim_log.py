"""Reads what the preloaded shim wrote down: bytes of the watched processes, so nothing in it is trusted.

The format is in ``shim/shim.h``: events of one kind byte, a text and a NUL; what follows the last one in a
file is zeros. There is a file for each program image, and ``exec.log`` for programs about to be started.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from envfreeze.observer.tracing import TRACER
from envfreeze.records.base import Record

MOST_BYTES = 1 << 30
"""Of one log that are read."""


class Image(Record):
    """One program of one process: a process that calls exec has several."""

    pid: int = 0
    ppid: int = 0
    started: int = 0
    """ns of CLOCK_MONOTONIC."""
    program: str = ""
    argv: tuple[str, ...] = ()
    directory: str = ""
    read: dict[str, int] = {}
    """Absolute paths, each with the time (ns of CLOCK_MONOTONIC) of the first."""
    written: dict[str, int] = {}
    sought: tuple[str, ...] = ()
    """Paths of the project that were looked for and not there."""
    reached: tuple[str, ...] = ()
    """Addresses and ports that were connected to."""
    libraries: tuple[str, ...] = ()
    ceased: bool = False
    """True when memory or disk ended the log before the program did."""
    ended: int = 0
    """ns of CLOCK_MONOTONIC; 0 when it was not seen."""
    exit_status: int | None = None
    cpu: float = 0.0
    """Seconds of user and system time."""
    peak_memory: int = 0
    """Bytes."""


def read_images(folder: Path) -> tuple[Image, ...]:
    """All programs that loaded the shim, in the order of their start."""
    logs = sorted(folder.glob("*.shim"), key=lambda path: (_number(path.stem.rpartition("-")[2]), path.name))
    return tuple(_image(_events(path), _number(path.stem.rpartition("-")[2])) for path in logs)


def read_traced(folder: Path) -> tuple[Image, ...]:
    """All programs that the tracer saw, in the order of their start; its log tells them apart by number."""
    parts: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for kind, text in _events(folder / "trace.deep"):
        if kind == "@":
            current = parts.setdefault(text, [])
        else:
            current.append((kind, text))
    return tuple(image for image in map(_image, parts.values()) if image.program != os.fspath(TRACER))


def read_started(folder: Path) -> frozenset[str]:
    """Paths of programs that were about to be started, whether the shim loaded there or not."""
    return frozenset(text for kind, text in _events(folder / "exec.log") if kind == "E")


def _events(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES)
    except OSError:
        return
    for event in data.rstrip(b"\0").split(b"\0"):
        if event:
            yield chr(event[0]), os.fsdecode(event[1:])


def _image(events: Iterable[tuple[str, str]], started: int = 0) -> Image:
    pid = ppid = ended = 0
    end: list[int] = []
    program = directory = ""
    argv: list[str] = []
    read: dict[str, int] = {}
    written: dict[str, int] = {}
    sought: dict[str, None] = {}
    reached: dict[str, None] = {}
    libraries: dict[str, None] = {}
    ceased = False
    for kind, text in events:
        stamp, _, rest = text.partition(" ")
        match kind:
            case "S":
                pid, ppid = _number(stamp), _number(rest)
            case "B":
                started = _number(text)
            case "Z":
                ended, end = _number(stamp), [_number(part) for part in rest.split()]
            case "X":
                program = text
            case "D":
                directory = text
            case "A":
                argv.append(text)
            case "R":
                read.setdefault(rest, _number(stamp))
            case "W" | "T":
                written.setdefault(rest, _number(stamp))
            case "U" | "F" | "K":
                # What is updated, moved away or removed had a content before that mattered.
                read.setdefault(rest, _number(stamp))
                written.setdefault(rest, _number(stamp))
            case "M":
                sought[rest] = None
            case "C":
                reached[rest] = None
            case "L":
                libraries[text] = None
            case "Q":
                ceased = True
    return Image(
        pid=pid,
        ppid=ppid,
        started=started,
        program=program,
        argv=tuple(argv),
        directory=directory,
        read=read,
        written=written,
        sought=tuple(sought),
        reached=tuple(reached),
        libraries=tuple(libraries),
        ceased=ceased,
        ended=ended,
        exit_status=end[0] if len(end) == 4 else None,
        cpu=(end[1] + end[2]) / os.sysconf("SC_CLK_TCK") if len(end) == 4 else 0.0,
        peak_memory=end[3] * 1024 if len(end) == 4 else 0,
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0

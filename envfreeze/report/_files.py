"""The files and the programs of a run for people: by class, and as a tree."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from envfreeze.records.files import FileEntry
from envfreeze.records.observation import ProcessEntry
from envfreeze.report._words import counted, duration, size

MOST_NAMED = 8
"""Files of one class that are named; the others are counted."""
MOST_PROGRAMS = 40
_LONGEST_COMMAND = 120

_ORDER = ("code", "configuration", "data", "download", "weights")
"""Classes in the order in which people ask for them; all others come after."""


def by_class(entries: Sequence[FileEntry]) -> Iterator[tuple[str, str]]:
    """A line a class, and below it the largest files; a file known by digest only says where it came from."""
    groups: dict[str, list[FileEntry]] = {}
    for entry in entries:
        groups.setdefault("link" if entry.link is not None else entry.kind or "file", []).append(entry)
    for kind in sorted(groups, key=lambda kind: (kind not in _ORDER, _place(kind), kind)):
        group = sorted(groups[kind], key=lambda entry: (-entry.size, entry.path))
        total = sum(entry.size for entry in group)
        yield f"  {kind}", counted(len(group), "file") + (f", {size(total)}" if kind != "link" else "")
        for entry in group[:MOST_NAMED]:
            yield "", f"  {_words(entry)}"
        if len(group) > MOST_NAMED:
            yield "", f"  and {len(group) - MOST_NAMED} more"


def _place(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else 0


def _words(entry: FileEntry) -> str:
    if entry.link is not None:
        return f"{entry.path} → {entry.link}"
    origin = f", by digest only: {entry.origin}" if entry.origin is not None else ""
    return f"{entry.path} ({size(entry.size)}{origin})"


def as_tree(entries: Sequence[ProcessEntry], *, files: bool = False) -> Iterator[str]:
    """The programs of a run, each below the one that started it, with its command line.

    A process that became another program (exec) has one line a program.

    Args:
        files: name below each program which recorded files it read and which outputs it wrote.
    """
    known = {entry.pid for entry in entries}
    children: dict[int, list[ProcessEntry]] = {}
    for entry in entries:
        parent = entry.parent if entry.parent in known and entry.parent != entry.pid else 0
        children.setdefault(parent, []).append(entry)
    lines = _below(0, children, "", set(), files=files)
    for number, program in enumerate(lines):
        if number == MOST_PROGRAMS:
            yield f"and {len(entries) - MOST_PROGRAMS} more"
            return
        yield from program


def _below(
    parent: int, children: dict[int, list[ProcessEntry]], indent: str, done: set[int], *, files: bool
) -> Iterator[list[str]]:
    """Lines of one program after the other; of several of one process the last has its children below it."""
    group = children.get(parent, [])
    last = {entry.pid: place for place, entry in enumerate(group)}
    for place, entry in enumerate(group):
        deeds = [f"{indent}  {line}" for line in _deeds(entry)] if files else []
        yield [indent + _command(entry), *deeds]
        if last[entry.pid] == place and entry.pid not in done:
            done.add(entry.pid)
            yield from _below(entry.pid, children, f"{indent}  ", done, files=files)


def _deeds(entry: ProcessEntry) -> Iterator[str]:
    for verb, paths in (("read", entry.read), ("wrote", entry.wrote)):
        if paths:
            more = f", and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
            yield f"{verb} {', '.join(paths[:MOST_NAMED])}{more}"
    if entry.unnamed:
        yield f"and {counted(entry.unnamed, 'more file')}, which the record does not name here"


def _command(entry: ProcessEntry) -> str:
    words = entry.command or (entry.program,)
    text = " ".join(shlex.join(words).split())
    text = text if len(text) <= _LONGEST_COMMAND else f"{text[:_LONGEST_COMMAND]}…"
    name = PurePosixPath(entry.program).name
    called = f" [{name}]" if name and PurePosixPath(words[0]).name != name else ""
    return f"{text}{called}{_end(entry)}"


def _end(entry: ProcessEntry) -> str:
    """How it went, as far as that was seen."""
    facts = [f"exit status {entry.exit_status}"] if entry.exit_status else []
    facts += [duration(entry.took)] if entry.took is not None else []
    facts += [f"processor {duration(entry.cpu)}"] if entry.cpu else []
    facts += [size(entry.peak_memory)] if entry.peak_memory else []
    return f"  ({', '.join(facts)})" if facts else ""

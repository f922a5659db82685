"""Takes what the run read outside of the project, so that a replay finds it at the same path."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from envfreeze.observer.classes import Classes
from envfreeze.observer.inputs import named_gaps
from envfreeze.observer.outputs import store_files
from envfreeze.observer.reference import NOTHING, Referenced, parsed
from envfreeze.records.files import FileEntry, Gap
from envfreeze.store import Store

DATA_LIMIT = 10 << 30
"""Bytes of data outside of the project that are copied into the store, unless another limit is given."""
_MOST_LINKS = 40  # as path_resolution(7)
_SYSTEM = ("/usr/", "/lib", "/bin/", "/sbin/", "/etc/", "/proc/", "/sys/", "/dev/", "/run/")


class DataOptions(NamedTuple):
    """How data is kept."""

    limit: int = DATA_LIMIT
    """Bytes outside of the project that may be copied."""
    referenced: Referenced = NOTHING
    """Which data is recorded by digest and origin alone."""


def options(words: Sequence[str], project: Path, limit: int | None) -> DataOptions:
    """From ``--data`` and ``--data-limit`` as they were given.

    Raises:
        InputError: a word is not one of ``copy``, ``reference``, ``reference:SIZE``, ``reference:PATTERN``.
    """
    return DataOptions(DATA_LIMIT if limit is None else limit, parsed(words, project))


def store_outside(
    paths: Iterable[str], roots: Sequence[str], store: Store, classes: Classes, options: DataOptions
) -> tuple[list[FileEntry], list[Gap]]:
    """Take the present content of files outside of the project; what is beyond the limit becomes a gap.

    Small files come first, so that the limit leaves out as few as it can.

    Args:
        paths: absolute.
        roots: the project folder, with links and without.

    Raises:
        OSError: the store cannot be written.
    """
    links: dict[str, str] = {}
    wanted: dict[str, int] = {}
    for path in paths:
        more, end = _followed(path, roots)
        links |= more
        wanted[end] = _size(end)
    taken, left, total = [], [], 0
    for path, size in sorted(wanted.items(), key=lambda item: (item[1], item[0])):
        if options.referenced.applies(path, size):
            taken.append(path)
        elif total + size <= options.limit:
            total += size
            taken.append(path)
        else:
            left.append(path)
    entries, gaps = store_files(
        sorted(taken),
        "/",
        store,
        what="the file",
        classes=classes,
        referenced=options.referenced,
        follow=True,
    )
    entries += [FileEntry(path=path, link=target) for path, target in links.items()]
    why = f"is beyond the limit of {options.limit} bytes (see --data-limit)"
    return entries, gaps + named_gaps("data outside the project folder is not captured", sorted(left), why)


def _followed(path: str, roots: Sequence[str]) -> tuple[dict[str, str], str]:
    """The links that a path is, each with its target, and the file in the end.

    A link into the project or the system is none here: the content is kept under the path itself. So is it
    for a folder that is a link.
    """
    links: dict[str, str] = {}
    end = path
    while os.path.islink(end) and len(links) < _MOST_LINKS:  # noqa: PTH114
        target = os.readlink(end)  # noqa: PTH115
        links[end] = target
        end = os.path.normpath(os.path.join(os.path.dirname(end), target))  # noqa: PTH118, PTH120
    inside = tuple(f"{root.rstrip('/')}/" for root in roots)
    if end in links or end.startswith((*inside, *_SYSTEM)):
        return {}, path
    return links, end


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0


_NEVER_NEEDED = frozenset({"PWD", "OLDPWD", "TMPDIR", "TMP", "TEMP", "VIRTUAL_ENV", "CONDA_PREFIX", "SHELL"})
"""Variables that a replay sets on its own."""


def variables_that_lead(entries: Iterable[FileEntry], environment: Mapping[str, str]) -> set[str]:
    """Variables that a replay needs, as their value is a file taken from outside, or a folder around one.

    ``HOME`` is one when something below it was taken.
    """
    around: set[str] = set()
    for entry in entries:
        path = entry.path
        while path.startswith("/") and path != "/" and path not in around:
            around.add(path)
            path = os.path.dirname(path)  # noqa: PTH120
    return {
        name
        for name, value in environment.items()
        if name not in _NEVER_NEEDED and value.startswith("/") and os.path.normpath(value) in around
    }

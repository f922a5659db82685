"""How much a content may unpack to, as outputs come from strangers.

A few bytes can stand for petabytes (https://www.bamsoftware.com/hacks/zipbomb/), so what comes out of all
containers of one output is counted, however deep they lie.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from envfreeze.compare import NotThisKind
from envfreeze.errors import EnvironmentFailure
from envfreeze.files import is_full as is_full

MAX_DEPTH = 8
"""Containers inside containers."""
MAX_MEMBERS = 200_000
"""Members of one container."""
GROWTH = 200
"""How many times its size an output may unpack to, beyond the first ``FREE`` bytes; zlib reaches 1,032."""
FREE = 1 << 30
IN_MEMORY = 256 << 20
"""Bytes that a reader may hold which cannot work in blocks."""


class Budget:
    """Bytes that may still be unpacked."""

    def __init__(self, size: int) -> None:
        self.left = FREE + GROWTH * size

    def spend(self, count: int) -> None:
        """Count bytes before they are kept.

        Raises:
            NotThisKind: it has become too much.
        """
        self.left -= count
        if self.left < 0:
            raise NotThisKind(f"it unpacks to more than {GROWTH} times its size")


_budget: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def budget_for(*paths: Path) -> Iterator[Budget]:
    """The budget of the outermost content, for all that lies in it."""
    current = _budget.get()
    if current is not None:
        yield current
        return
    token = _budget.set(Budget(sum(map(content_size, paths))))
    try:
        yield budget()
    finally:
        _budget.reset(token)


def content_size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def budget() -> Budget:
    """The budget in force; without one, that of an empty content."""
    return _budget.get() or Budget(0)


def missing(library: str) -> NotThisKind:
    """To be raised when an optional library is not there."""
    return NotThisKind(f"{library} is not installed beside envfreeze: pip install 'envfreeze[formats]'")


def whole(path: Path) -> bytes:
    """A file's content, for a reader that needs all of it.

    Raises:
        NotThisKind: it has more than ``IN_MEMORY`` bytes.
    """
    if path.stat().st_size > IN_MEMORY:
        raise NotThisKind(f"it has more than {IN_MEMORY >> 20} MiB")
    return path.read_bytes()


def no_room() -> EnvironmentFailure:
    """What to raise when a container cannot be unpacked for want of disk."""
    return EnvironmentFailure(
        f"There is no room in {tempfile.gettempdir()} to unpack an output for its comparison.",
        hint="Free some space there, or set TMPDIR to a folder with more, and compare again.",
    )

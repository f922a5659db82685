"""Comparators: each knows one kind of output.

To add one, add a file with ``COMPARATOR = Comparator(…)``; the registry finds it. The first comparator, by
descending ``priority``, that recognises both contents compares them; ``bytes`` recognises everything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from envfreeze.records.base import Record
from envfreeze.records.comparison import Difference
from envfreeze.records.verdict import Verdict


class PathRule(Record):
    """What a project asks for some of its outputs (``[tool.envfreeze.compare]``, see ``_policy``)."""

    pattern: str
    """Of the output's path, as in ``.gitignore``'s simplest form: ``results/*.csv``, ``**/log.txt``."""
    rtol: float | None = None
    atol: float | None = None
    ignore: str = ""
    """Why this output does not count; empty when it does."""
    order_insensitive: tuple[str, ...] = ()


class Options(Record):
    """What may be set for a comparison."""

    rtol: float | None = None
    """Relative tolerance for numbers; None means the comparator's default for the number's type."""
    atol: float | None = None
    """Absolute tolerance for numbers."""
    aliases: tuple[tuple[str, str, str], ...] = ()
    """(rule's name, text in the original, text in the replay): places that are equal though they are spelled
    differently, such as the prefix of the environment."""
    max_differences: int = 10
    order_insensitive: tuple[str, ...] = ()
    """Columns by which the rows of a table are sorted before they are compared; ``*`` for all."""
    rules: tuple[PathRule, ...] = ()
    """The project's own, by pattern of the output's path; the last that matches decides."""
    depth: int = 0
    """How many containers this content lies in."""


class Sample(Record):
    """What a comparator may look at to recognise a content: never the name alone."""

    path: Path
    head: bytes
    """The first 64 KiB."""
    suffix: str
    """Lower-case file name suffix, a hint."""
    size: int


class Finding(Record):
    """What a comparator says of two contents that are not the same bytes."""

    verdict: Verdict
    reason: str
    differences: tuple[Difference, ...] = ()
    set_aside: tuple[str, ...] = ()
    relative: float | None = None
    """The largest relative difference of a number, where there is one."""


class Comparator(Record):
    """One kind of output. ``compare`` gets contents that are known to differ in at least one byte, and
    raises ``NotThisKind`` when a file is not what it looked like; the next comparator is then asked."""

    name: str
    priority: int
    recognises: Callable[[Sample], bool]
    compare: Callable[[Path, Path, Options], Finding]
    isolated: bool = False
    """True where a library written in C, or one that was not made for hostile files, reads them: it then
    runs in
    a process of its own with bounded memory and time."""
    stores: Callable[[Collection[str]], Mapping[str, Collection[str]]] | None = None
    """For a kind that is several files (``_stores``): which of these names belong together, by the path that
    the store is called by. ``compare`` then gets two folders with these files, and ``recognises`` says no."""


def not_a_file(_: Sample) -> bool:
    """What ``recognises`` is for a kind that is several files."""
    return False


class NotThisKind(Exception):
    """The content is damaged or of another kind; the sentence says how it was noticed."""

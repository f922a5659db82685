"""Metrics in logs and printed words: ``name: number`` and ``name=number``; of each name the last one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from envfreeze.compare import Sample
from envfreeze.compare._numbers import NUMBER
from envfreeze.compare.text import recognises as is_text
from envfreeze.metrics import NotFound, Reader
from envfreeze.metrics._expression import lines
from envfreeze.metrics._not_results import is_result
from envfreeze.metrics._selector import Index, Key, Step, quoted, text_of

_SUFFIXES = (".log", ".txt", ".out", ".md", "")
_PAIR = re.compile(
    r"(?<![\w./@%-])([A-Za-z][\w/@%-]*(?:[ .][A-Za-z][\w/@%-]*){0,4})[ \t]*[:=][ \t]*"
    rf"({NUMBER}|[-+]?(?:nan|inf))(%?)(?![\w:/-]|\.\w)",
    re.IGNORECASE | re.ASCII,
)


def recognises(sample: Sample) -> bool:
    """Text with the suffix of a log, or with none."""
    return sample.suffix in _SUFFIXES and is_text(sample)


def found(path: Path) -> Iterator[tuple[str, float]]:
    """The last number of each name."""
    last: dict[str, float] = {}
    for name, value in _pairs(path):
        last.pop(name, None)
        last[name] = value
    for name, value in sorted(last.items()):
        if is_result(name):
            yield quoted(name), value


def look_up(path: Path, steps: tuple[Step, ...]) -> float:
    """``name`` is the last number of that name, ``name[0]`` the first; ``a.b`` is the name ``a.b`` too."""
    names = [step.name for step in steps if isinstance(step, Key)]
    places = [step.place for step in steps if isinstance(step, Index)]
    if not names or len(names) + len(places) != len(steps) or len(places) > 1:
        raise NotFound(f"{text_of(steps)} names nothing in a text: write name or name[0]")
    name = ".".join(names)
    values = [value for found_name, value in _pairs(path) if found_name == name]
    try:
        return values[places[0] if places else -1]
    except IndexError:
        raise NotFound(f"{name!r} is followed by a number in {len(values)} places") from None


def _pairs(path: Path) -> Iterator[tuple[str, float]]:
    for line in lines(path):
        for match in _PAIR.finditer(line):
            value = float(match[2])
            yield " ".join(match[1].split()), value / 100 if match[3] else value


READER = Reader(name="text", priority=10, recognises=recognises, found=found, look_up=look_up)

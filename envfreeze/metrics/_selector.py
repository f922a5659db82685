"""Selectors: where in an output a number stands.

Grammar, the same in ``--metric`` and in claims::

    selector  = part { "." part | "[" integer "]" }
    part      = name | "[" integer "]" | condition { "," condition }
    condition = name "=" name
    name      = letters, digits and any of _ / % @ - +, or anything between double quotes

``forest.accuracy`` walks into a JSON object, ``losses[-1]`` takes the last of a list, ``method=ours.f1``
takes column ``f1`` of the row whose ``method`` is ``ours``, ``[0].f1`` that of the first row.
"""

from __future__ import annotations

import re

from envfreeze.records.base import Record


class Key(Record):
    """A name: a key of an object, a column, a tag, a word before a number."""

    name: str


class Index(Record):
    """A place in a list or a row of a table; negative ones count from the end."""

    place: int


class Where(Record):
    """The row in which each column has the text beside it."""

    conditions: tuple[tuple[str, str], ...]


Step = Key | Index | Where


class SelectorError(ValueError):
    """Not a selector; ``place`` is the offset of what is wrong."""

    def __init__(self, sentence: str, place: int) -> None:
        super().__init__(sentence)
        self.place = place


_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"|([\w/%@+-]+)')
_INDEX = re.compile(r"\[\s*(-?\d{1,9})\s*\]")


def scan(text: str, start: int = 0) -> tuple[tuple[Step, ...], int]:
    """The selector that begins at ``start``, and where it ends.

    Raises:
        SelectorError: there is none.
    """
    steps: list[Step] = []
    place = start
    while True:
        if steps and (match := _INDEX.match(text, place)):
            steps.append(Index(place=int(match[1])))
            place = match.end()
        elif not steps or text[place : place + 1] == ".":
            step, place = _part(text, place if not steps else place + 1)
            steps.append(step)
        else:
            return tuple(steps), place


def is_index(text: str, place: int) -> bool:
    """True where ``[integer]`` stands."""
    return _INDEX.match(text, place) is not None


def parse(text: str) -> tuple[Step, ...]:
    """The selector that the whole text is.

    Raises:
        SelectorError: it is none.
    """
    steps, end = scan(text)
    if end != len(text):
        raise SelectorError(f"{text[end]!r} does not belong into a selector", end)
    return steps


def _part(text: str, start: int) -> tuple[Step, int]:
    if match := _INDEX.match(text, start):
        return Index(place=int(match[1])), match.end()
    name, place = _name(text, start)
    if not _is_condition(text, place):
        return Key(name=name), place
    value, place = _name(text, place + 1)
    conditions = [(name, value)]
    while text[place : place + 1] == ",":
        name, after = _name(text, place + 1)
        if not _is_condition(text, after):
            break
        value, place = _name(text, after + 1)
        conditions.append((name, value))
    return Where(conditions=tuple(conditions)), place


def _is_condition(text: str, place: int) -> bool:
    return text[place : place + 1] == "=" and text[place + 1 : place + 2] not in ("=", "")


def _name(text: str, start: int) -> tuple[str, int]:
    match = _NAME.match(text, start)
    if match is None:
        found = repr(text[start]) if start < len(text) else "nothing"
        raise SelectorError(f"a name of a metric was expected, and there is {found}", start)
    if match[2] is not None:
        return match[2], match.end()
    return re.sub(r"\\(.)", r"\1", match[1]), match.end()


def quoted(name: str) -> str:
    """The name as a selector writes it."""
    if re.fullmatch(r"[\w/%@+-]+", name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text_of(steps: tuple[Step, ...]) -> str:
    """The selector as text."""
    parts = ""
    for step in steps:
        if isinstance(step, Index):
            parts += f"[{step.place}]"
            continue
        parts += "." if parts else ""
        if isinstance(step, Key):
            parts += quoted(step.name)
        else:
            parts += ",".join(f"{quoted(column)}={quoted(value)}" for column, value in step.conditions)
    return parts

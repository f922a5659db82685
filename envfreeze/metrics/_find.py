"""The metrics of one side of a comparison: those that its outputs hold, and those that somebody names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

from envfreeze import metrics
from envfreeze.compare import Sample
from envfreeze.compare.sides import Side
from envfreeze.errors import InputError
from envfreeze.metrics import MAX_METRICS, NotFound, Reader
from envfreeze.metrics._selector import SelectorError, Step, parse
from envfreeze.records.base import Record
from envfreeze.records.metrics import Metric
from envfreeze.registry import members

STDOUT = "<stdout>"
_HEAD = 1 << 16


class Named(Record):
    """A metric that the user named: by a selector, or by a regular expression with one group."""

    path: str
    selector: str
    steps: tuple[Step, ...] = ()
    """Empty for a regular expression."""


def named(text: str) -> Named:
    """``path:selector`` or ``path:expression-with-(group)`` of ``--metric``.

    Raises:
        InputError: it is neither.
    """
    match = re.match(r'\s*(?:"([^"]+)"|([^":]+))\s*:\s*(.+)', text, re.DOTALL)
    if match is None:
        raise InputError(
            f"--metric {text!r} is not of the form FILE:NAME.", hint="For example: metrics.json:accuracy"
        )
    path, selector = (match[1] or match[2]).strip(), match[3].strip()
    try:
        return Named(path=path, selector=selector, steps=parse(selector))
    except SelectorError as error:
        if "(" not in selector:
            raise InputError(
                f"--metric {text!r}: {error} (character {error.place + 1} of {selector!r})."
            ) from None
    try:
        groups = re.compile(selector).groups
    except re.error as error:
        raise InputError(f"--metric {text!r}: the regular expression is wrong: {error}.") from None
    if groups != 1:
        raise InputError(f"--metric {text!r}: the regular expression needs one group, and has {groups}.")
    return Named(path=path, selector=selector)


def contents(side: Side) -> Mapping[str, Path]:
    """What may hold metrics: the files and the standard output."""
    return side.files | ({STDOUT: side.stdout} if side.stdout is not None else {})


def find(side: Side, wanted: Sequence[Named] = ()) -> tuple[tuple[Metric, ...], tuple[str, ...]]:
    """All metrics that are found in the outputs, or only the wanted ones.

    Returns:
        The metrics by path and selector, and a sentence for each wanted one that is not there.
    """
    if not wanted:
        return tuple(_all(contents(side))), ()
    found, problems = [], []
    for item in wanted:
        try:
            value = look_up(side, item)
        except NotFound as error:
            problems.append(f"{item.path}:{item.selector}: {error}")
        else:
            found.append(Metric(path=item.path, selector=item.selector, value=_finite(value)))
    return tuple(found), tuple(problems)


def of_file(path: Path, name: str) -> tuple[Metric, ...]:
    """The metrics that one output holds; none when it is of no known kind, or damaged."""
    return tuple(_all({name: path}))


def _all(files: Mapping[str, Path]) -> Iterator[Metric]:
    for name, path in sorted(files.items()):
        try:
            reader = _reader(path, name)
            pairs: Iterable[tuple[str, float]] = reader.found(path) if reader else ()
            for selector, value in islice(pairs, MAX_METRICS):
                yield Metric(path=name, selector=selector, value=_finite(value))
        except (NotFound, OSError):
            continue


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def look_up(side: Side, item: Named) -> float:
    """The number that somebody named.

    Raises:
        NotFound: it is not there; the sentence says what is missing.
    """
    files = contents(side)
    path = files.get(item.path)
    if path is None:
        near = [name for name in files if Path(name).name == Path(item.path).name]
        hint = f"; there is {near[0]}" if near else ""
        raise NotFound(f"there is no output {item.path} in {side.label}{hint}")
    try:
        if not item.steps:
            return _by_expression(path, item.selector)
        reader = _reader(path, item.path)
        if reader is None:
            raise NotFound(f"{item.path} is of no kind that metrics are read from")
        return reader.look_up(path, item.steps)
    except OSError as error:
        raise NotFound(f"{item.path} cannot be read: {error.strerror}") from None


def _by_expression(path: Path, expression: str) -> float:
    from envfreeze.metrics._expression import last_match

    last = last_match(path, expression)
    try:
        return float(last)
    except ValueError:
        raise NotFound(f"{expression} matches {last[:40]!r}, no number") from None


def _reader(path: Path, name: str) -> Reader | None:
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    suffix = "" if name == STDOUT else Path(name).suffix.lower()
    sample = Sample(path=path, head=head, suffix=suffix, size=path.stat().st_size)
    return next((reader for reader in _readers() if reader.recognises(sample)), None)


@cache
def _readers() -> tuple[Reader, ...]:
    found = members(metrics, "READER", Reader)
    return tuple(sorted(found, key=lambda reader: -reader.priority))

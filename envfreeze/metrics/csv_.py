"""Metrics in tables of separated values: the last row of a curve, the cells of a short table of results.

A table counts as a curve when it has a column such as ``epoch`` or ``step``, and as results when it has one
row, or at most 50 with a first column of distinct words, which then name the rows. Other tables, such as
predictions, are data: their cells have to be named.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from envfreeze.compare import Sample
from envfreeze.compare.csv_ import delimiter
from envfreeze.compare.csv_ import recognises as is_table
from envfreeze.metrics import NotFound, Reader
from envfreeze.metrics._not_results import is_result
from envfreeze.metrics._selector import Index, Key, Step, Where, quoted, text_of

_CURVE = re.compile(r"(?:global_)?(?:epochs?|steps?|iter|iterations?|rounds?)", re.IGNORECASE)
_MAX_ROWS = 50
_HEAD = 1 << 16
Row = dict[str, str]


def recognises(sample: Sample) -> bool:
    """What the comparator of tables recognises."""
    return is_table(sample)


def found(path: Path) -> Iterator[tuple[str, float]]:
    """See the module's text."""
    first: list[Row] = []
    last: Row = {}
    count = 0
    for row in _rows(path):
        count += 1
        last = row
        if count <= _MAX_ROWS:
            first.append(row)
    if not first:
        return
    columns = list(last)
    if any(_CURVE.fullmatch(column.strip()) for column in columns) and count > 1:
        yield from _cells(last, "[-1].")
    elif count == 1:
        yield from _cells(last, "")
    elif count <= _MAX_ROWS:
        labels = [row[columns[0]] for row in first]
        if len(set(labels)) == count and not any(_number(label) is not None for label in labels):
            for label, row in zip(labels, first, strict=True):
                yield from _cells(row, f"{quoted(columns[0])}={quoted(label)}.")


def look_up(path: Path, steps: tuple[Step, ...]) -> float:
    """``column`` of the last row, ``[3].column``, or ``method=ours.column``."""
    *rows, column = steps
    if not isinstance(column, Key) or len(rows) > 1 or any(isinstance(row, Key) for row in rows):
        raise NotFound(f"{text_of(steps)} names no cell: write column, [row].column or other=value.column")
    row = _row(path, rows[0] if rows else Index(place=-1))
    if column.name not in row:
        names = ", ".join(quoted(name) for name in list(row)[:8])
        raise NotFound(f"there is no column {quoted(column.name)}; there are {names}")
    value = _number(row[column.name])
    if value is None:
        raise NotFound(f"{text_of(steps)} is {row[column.name][:40]!r}, no number")
    return value


def _row(path: Path, wanted: Step) -> Row:
    if isinstance(wanted, Where):
        columns = set(next(_rows(path), {}))
        for column, _ in wanted.conditions:
            if column not in columns:
                raise NotFound(f"there is no column {quoted(column)}")
        matching = [row for row in _rows(path) if all(row[name] == text for name, text in wanted.conditions)]
        if len(matching) != 1:
            raise NotFound(f"{len(matching) or 'no'} rows have {text_of((wanted,))}")
        return matching[0]
    assert isinstance(wanted, Index)
    count, chosen = 0, None
    for count, row in enumerate(_rows(path), start=1):
        if wanted.place == count - 1 or wanted.place == -1:
            chosen = row
    if wanted.place < -1 and -wanted.place <= count:
        return _row(path, Index(place=count + wanted.place))
    if chosen is None:
        raise NotFound(f"there is no row [{wanted.place}]: the table has {count}")
    return chosen


def _cells(row: Row, prefix: str) -> Iterator[tuple[str, float]]:
    for column, text in row.items():
        value = _number(text)
        if value is not None and column and is_result(column):
            yield prefix + quoted(column), value


def _rows(path: Path) -> Iterator[Row]:
    with path.open("rb") as stream:
        separator = delimiter(stream.read(_HEAD))
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, delimiter=separator or ",", strict=False)
            columns = [name.strip() for name in next(reader, [])]
            for cells in reader:
                if cells:
                    cells += [""] * (len(columns) - len(cells))
                    yield dict(zip(columns, (cell.strip() for cell in cells), strict=False))
    except (csv.Error, UnicodeDecodeError) as error:
        raise NotFound(f"it is no table: {error}") from None


def _number(text: str) -> float | None:
    if len(text) > 60 or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


READER = Reader(name="csv", priority=20, recognises=recognises, found=found, look_up=look_up)

"""Tables of separated values (RFC 4180), cell by cell: numbers as numbers, quoting and line ends aside.

Dates in a table are data and are compared; only columns that are named for a clock's reading are set aside.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import IN_MEMORY
from envfreeze.compare._numbers import is_number
from envfreeze.compare._set_aside import key_rule
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally
from envfreeze.compare._tree import Number
from envfreeze.compare.text import lines
from envfreeze.compare.text import recognises as is_text

DELIMITERS = ",;\t|"
SUFFIXES = (".csv", ".tsv", ".tab")
_HEAD = 1 << 16


def recognises(sample: Sample) -> bool:
    """Text with the suffix of a table whose first rows are cut into equally many cells by some delimiter."""
    return sample.suffix in SUFFIXES and is_text(sample) and delimiter(sample.head) is not None


def delimiter(head: bytes) -> str | None:
    """The delimiter that cuts the first rows into equally many cells, most of them; None when none does."""
    rows = head.decode("utf-8-sig", errors="replace").splitlines()[:20]
    if len(head) >= _HEAD:
        rows = rows[:-1]
    widths = {}
    for candidate in DELIMITERS:
        counts = {len(row) for row in csv.reader(rows, delimiter=candidate) if row}
        if len(counts) == 1:
            widths[candidate] = counts.pop()
    best = max(widths, key=lambda candidate: widths[candidate], default=None)
    return best if best is not None and widths[best] > 1 else None


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Equivalent, close or different by cells; read row by row.

    Raises:
        NotThisKind: the delimiter differs, a cell is longer than 128 KiB, or it is not UTF-8 further on.
    """
    separators = [delimiter(_head(path)) for path in (original, replay)]
    if separators[0] is None or separators[0] != separators[1]:
        raise NotThisKind("the delimiters differ")
    tally = Tally(options)
    header: list[str] | None = None
    readers = [_rows(path, separators[0]) for path in (original, replay)]
    if options.order_insensitive:
        readers = [_sorted(rows, options.order_insensitive) for rows in readers]
    pairs = zip_longest(*readers)
    for number, (one, two) in enumerate(pairs, 1):
        if not one and not two:
            continue
        if one is None or two is None:
            note = ONLY_ORIGINAL if two is None else ONLY_REPLAY
            only = [separators[0].join(row or []) for row in (one, two)]
            tally.differ(f"row {number}", only[0], only[1], note)
            continue
        if header is None:
            header = one if one == two and not any(map(is_number, one)) else []
        if one != two:
            _compare_row(number, one, two, header, tally)
    return tally.finding("the same cells; quoting, line ends or spelling of numbers differ")


def _compare_row(number: int, one: list[str], two: list[str], header: list[str], tally: Tally) -> None:
    if len(one) != len(two):
        tally.differ(f"row {number}", f"{len(one)} cells", f"{len(two)} cells")
        return
    step = step_of(header, one, two)
    for index, (first, second) in enumerate(zip(one, two, strict=True)):
        if first == second:
            continue
        column = header[index] if index < len(header) and header[index] else ""
        group = column if step else ""
        where = f"{column} at {step}" if group else f"row {number}, column {column or index + 1}"
        first_number, second_number = is_number(first), is_number(second)
        values = [Number(cell) if is_number(cell) else cell for cell in (first, second)]
        rule = key_rule(column, *values, in_data=True)
        if rule is not None:
            tally.aside(rule.name)
        elif first_number and second_number:
            tally.number(where, first, second, group=group)
        else:
            tally.text(where, first, second)


STEPS = frozenset(
    ("step", "epoch", "iteration", "iter", "global_step", "batch", "round", "_step", "training_iteration")
)
"""Names of the column, or key, that counts the steps of a training."""


def step_of(header: list[str], one: list[str], two: list[str]) -> str:
    """``step 12``, where a column counts steps and says the same in both rows; else empty."""
    for name, first, second in zip(header, one, two, strict=False):
        if name.strip().lower() in STEPS and first == second and first.strip():
            return f"{name.strip().lower().replace('_', ' ').strip()} {first.strip()}"
    return ""


def _sorted(rows: Iterator[list[str]], columns: tuple[str, ...]) -> Iterator[list[str]]:
    """The header, then the rows in the order of these columns; in memory."""
    header = next(rows, [])
    yield header
    named = [header.index(name) for name in columns if name in header]
    places = list(range(len(header))) if "*" in columns else named
    if not places:
        raise NotThisKind(f"it has no column {' or '.join(columns)}")
    kept, size = [], 0
    for row in rows:
        size += sum(map(len, row)) + 64 * len(row)
        if size > IN_MEMORY:
            raise NotThisKind("it is too large to put its rows in order")
        if row:
            kept.append(row)
    yield from sorted(kept, key=lambda row: [row[place] for place in places if place < len(row)] + row)


def _rows(path: Path, separator: str) -> Iterator[list[str]]:
    def without_mark() -> Iterator[str]:
        for index, line in enumerate(lines(path)):
            yield line.removeprefix("\ufeff") if index == 0 else line

    try:
        yield from csv.reader(without_mark(), delimiter=separator, strict=True)
    except csv.Error as error:
        raise NotThisKind(str(error)) from None


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_HEAD)


COMPARATOR = Comparator(name="csv", priority=40, recognises=recognises, compare=compare)

"""SQLite databases, table by table, row by row in the order in which they are stored.

Opened read-only and as immutable (https://sqlite.org/uri.html), with a schema that is not trusted:
nothing in it is run. Free pages, the change counter and statistics for the planner are no results.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import no_room
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally, shown
from envfreeze.compare._tree import Blob, Number, Value, add_trees

MAGIC = b"SQLite format 3\0"
PATIENCE = 120.0
"""Seconds that reading may take."""
_STEPS = 100_000
"""Instructions of SQLite's machine between two looks at the clock."""
_PRAGMAS = ("user_version", "application_id", "encoding")


def recognises(sample: Sample) -> bool:
    """By the first bytes."""
    return sample.head.startswith(MAGIC)


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By schema and rows.

    Raises:
        NotThisKind: damaged, with virtual tables, or too slow to read.
        EnvironmentFailure: the disk has no room to sort the rows.
    """
    tally = Tally(options)
    try:
        one, two = (_open(path) for path in (original, replay))
        try:
            _compare(one, two, tally)
        finally:
            one.close()
            two.close()
    except (sqlite3.Error, OverflowError) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:  # rows are sorted on disk
            raise no_room() from None
        raise NotThisKind(f"damaged or too slow to read ({error})") from None
    return tally.finding("the same tables and rows; free pages or counters differ")


def _open(path: Path) -> sqlite3.Connection:
    with path.open("rb") as stream:
        head = stream.read(100)
    size, pages = int.from_bytes(head[16:18], "big"), int.from_bytes(head[28:32], "big")
    if pages and pages * (1 << 16 if size == 1 else size) != path.stat().st_size:
        raise NotThisKind("it is longer or shorter than its header says")
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True, check_same_thread=False
    )
    end = time.monotonic() + PATIENCE
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1 << 28)
    connection.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _compare(one: sqlite3.Connection, two: sqlite3.Connection, tally: Tally) -> None:
    for pragma in _PRAGMAS:
        values = [str(side.execute(f"PRAGMA {pragma}").fetchone()[0]) for side in (one, two)]
        if values[0] != values[1]:
            tally.differ(pragma, values[0], values[1])
    schemas = [_schema(side) for side in (one, two)]
    add_trees(schemas[0], schemas[1], tally, root="schema")
    for key in schemas[0]:
        kind, _, name = key.partition(" ")
        if kind == "table" and key in schemas[1] and not name.startswith("sqlite_stat"):
            _rows(name, one, two, tally)


def _schema(connection: sqlite3.Connection) -> dict[str, Value]:
    found = {}
    for kind, name, sql, root in connection.execute("SELECT type, name, sql, rootpage FROM sqlite_master"):
        if kind == "table" and not root:
            raise NotThisKind(f"it has a virtual table ({shown(str(name))})")
        if not str(name).startswith("sqlite_stat"):
            found[f"{kind} {name}"] = sql
    found["table sqlite_schema"] = None
    return {key: found[key] for key in sorted(found) if key != "table sqlite_schema"}


def _rows(name: str, one: sqlite3.Connection, two: sqlite3.Connection, tally: Tally) -> None:
    readers = [_read(side, name, tally.options) for side in (one, two)]
    for number, (first, second) in enumerate(zip_longest(*readers), 1):
        where = f"{shown(name)}, row {number}"
        if first is None or second is None:
            note = ONLY_ORIGINAL if second is None else ONLY_REPLAY
            tally.differ(where, shown(str(first or "")), shown(str(second or "")), note)
        elif first != second or any(isinstance(value, float) for value in first.values()):
            trees = [{key: _value(value) for key, value in row.items()} for row in (first, second)]
            add_trees(trees[0], trees[1], tally, root=where, in_data=True)


def _read(connection: sqlite3.Connection, name: str, options: Options) -> Iterator[dict[str, Any]]:
    table = '"' + name.replace('"', '""') + '"'
    cursor = connection.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608 - quoted
    columns = [column[0] for column in cursor.description]
    wanted = columns if "*" in options.order_insensitive else options.order_insensitive
    order = ", ".join('"' + column.replace('"', '""') + '"' for column in wanted if column in columns)
    query = f"SELECT * FROM {table}" + (f" ORDER BY {order}" if order else "")  # noqa: S608 - quoted
    for row in connection.execute(query):
        yield dict(zip(columns, row, strict=True))


def _value(value: Any) -> Value:
    if isinstance(value, bytes):
        return Blob(value)
    return Number(repr(value)) if isinstance(value, int | float) else value


COMPARATOR = Comparator(name="sqlite", priority=80, recognises=recognises, compare=compare, isolated=True)

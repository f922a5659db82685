"""Tables: CSV, TSV, Parquet, Feather, SQLite, workbooks."""

from __future__ import annotations

import csv
import io
import sqlite3
import zipfile
from typing import Any

from ._experiment import BASE, DATED, DATES, FORMATS, METRIC, NOT_TYPES, TABLE, TEXT, TREE, Experiment, known
from .arrays import ONE_ARRAY, as_npy


def as_table(
    found: Experiment, *, separator: str = ",", quoting: int = 0, ends: str = "\n", wall: float = 0.0
) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator=ends)
    writer.writerow(["step", "loss", "name", "wall_time"])
    for step, loss in found.rows:
        writer.writerow([step, repr(loss), found.name, repr(1.0 + step + wall)])
    writer.writerow(["all", repr(found.metric), "/".join(found.labels), ""])
    return stream.getvalue().encode()


QUOTED = {
    "quotes": {"quoting": csv.QUOTE_ALL},
    "line ends": {"ends": "\r\n"},
    "some quotes": {"quoting": csv.QUOTE_NONNUMERIC},
}
WALL = {f"wall time {n}": {"wall": n} for n in (0.25, 1.5, 60.0)}
known("csv", ".csv", as_table, TEXT, METRIC, TABLE, benign={**QUOTED, **WALL})
known(
    "tsv",
    ".tsv",
    lambda found, **settings: as_table(found, separator="\t", **settings),
    TEXT,
    METRIC,
    TABLE,
    benign={key: {"separator": "\t", **change} for key, change in {**QUOTED, **WALL}.items()},
)
FORMATS["tsv"] = FORMATS["tsv"]._replace(
    benign={
        key: (lambda change=change: tuple(as_table(BASE, separator="\t", **part) for part in ({}, change)))
        for key, change in {**QUOTED, **WALL}.items()
    }
)


def frame(found: Experiment) -> Any:
    import pyarrow

    return pyarrow.table(
        {
            "step": [step for step, _ in found.rows],
            "loss": [loss for _, loss in found.rows],
            "name": [found.name] * len(found.rows),
            "metric": [found.metric] * len(found.rows),
            "labels": [list(found.labels)] * len(found.rows),
            "weights": [found.weights.ravel().tolist()] * len(found.rows),
            **({"extra": [None, *range(len(found.rows) - 1)]} if found.extra else {}),
        }
    )


COLUMNS = (
    {key: value for key, value in NOT_TYPES.items() if "count" not in key and "shape" not in key},
    *TREE[1:],
)


def as_parquet(found: Experiment, **settings: Any) -> bytes:
    import pyarrow.parquet

    stream = io.BytesIO()
    pyarrow.parquet.write_table(frame(found), stream, **settings)
    return stream.getvalue()


known(
    "parquet",
    ".parquet",
    as_parquet,
    *COLUMNS,
    benign={
        **{f"{n}": {"compression": n} for n in ("none", "gzip", "zstd", "brotli")},
        "plain": {"use_dictionary": False},
        **{f"groups of {n}": {"row_group_size": n} for n in (1, 3)},
        "version": {"version": "1.0"},
        "pages": {"data_page_version": "2.0"},
        "statistics": {"write_statistics": False},
    },
)


def as_feather(found: Experiment, **settings: Any) -> bytes:
    import pyarrow.feather

    stream = io.BytesIO()
    pyarrow.feather.write_feather(frame(found), stream, **settings)
    return stream.getvalue()


known(
    "feather",
    ".feather",
    as_feather,
    *COLUMNS,
    benign={
        **{f"{n}": {"compression": n} for n in ("zstd", "uncompressed")},
        **{f"chunks of {n}": {"chunksize": n} for n in (1, 3)},
    },
)


def as_sqlite(found: Experiment, *, page: int = 4096, freed: int = 0, vacuum: bool = False) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"PRAGMA page_size = {page}")
    connection.execute("CREATE TABLE runs (name TEXT, metric REAL, weights BLOB, labels TEXT)")
    connection.execute("CREATE TABLE history (step INTEGER, loss REAL)")
    connection.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?)",
        (found.name, str(found.metric), as_npy(found), ",".join(found.labels)),
    )
    connection.executemany(
        "INSERT INTO history VALUES (?, ?)", [(step, str(loss)) for step, loss in found.rows]
    )
    if found.extra:
        connection.execute("CREATE INDEX by_step ON history (step)")
    connection.commit()
    for _ in range(freed):
        connection.execute("CREATE TABLE junk AS SELECT randomblob(5000)")
        connection.execute("DROP TABLE junk")
        connection.commit()
    if vacuum:
        connection.execute("VACUUM")
    return connection.serialize()


known(
    "sqlite",
    ".db",
    as_sqlite,
    ONE_ARRAY,
    *TREE[1:],
    benign={
        **{f"page {n}": {"page": n} for n in (1024, 8192)},
        **{f"freed {n}": {"freed": n} for n in (1, 2, 3)},
        "vacuum": {"freed": 1, "vacuum": True},
    },
)


def as_office(found: Experiment, *, date: str = DATES[0], year: int = 1980) -> bytes:
    """A workbook: sheets of XML in a ZIP archive (ECMA-376)."""
    rows = "".join(
        f'<row r="{step}"><c r="A{step}"><v>{step}</v></c><c r="B{step}"><v>{loss}</v></c></row>'
        for step, loss in found.rows
    )
    core = (
        '<cp:coreProperties xmlns:cp="x" xmlns:dcterms="y" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<dcterms:modified xsi:type="dcterms:W3CDTF">{date}Z</dcterms:modified></cp:coreProperties>'
    )
    texts = "".join(f"<si><t>{label}</t></si>" for label in (*found.labels, found.name, found.metric))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in (
            ("xl/sheet1.xml", f"<sheet><data>{rows}</data></sheet>"),
            ("xl/strings.xml", f"<sst>{texts}</sst>"),
            ("docProps/core.xml", core),
        ):
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), data)
    return stream.getvalue()


known(
    "office",
    ".xlsx",
    as_office,
    TEXT,
    METRIC,
    TABLE,
    benign={**DATED, **{f"year {n}": {"year": n} for n in (2001, 2024)}},
)

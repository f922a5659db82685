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


_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def as_workbook(
    found: Experiment,
    *,
    shared: bool = True,
    order: int = 1,
    date: str = DATES[0],
    year: int = 1980,
    packed: bool = False,
    view: str = "A1",
    relation: str = "rId",
    spans: bool = False,
    chain: bool = False,
) -> bytes:
    """A workbook of one sheet with numbers, texts, a date and a formula, and a chart of its own."""
    texts: list[str] = []
    rows: list[str] = []

    def text(place: str, value: str) -> str:
        if not shared:
            return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
        texts.append(value)
        return f'<c r="{place}" t="s"><v>{len(texts) - 1 if order == 1 else -len(texts)}</v></c>'

    def row(cells: str) -> None:
        more = ' spans="1:9"' if spans else ""
        rows.append(f'<row r="{len(rows) + 1}"{more}>{cells.replace("#", str(len(rows) + 1))}</row>')

    row(text("A#", found.name) + f'<c r="B#"><v>{found.metric}</v></c><c r="C#" s="1"><v>45292.5</v></c>')
    for value in found.weights:
        row("".join(f'<c r="{chr(65 + n)}#"><v>{cell}</v></c>' for n, cell in enumerate(value.tolist())))
    row("".join(f'<c r="{chr(65 + n)}#"><v>{cell}</v></c>' for n, cell in enumerate(found.counts.tolist())))
    row("".join(text(f"{chr(65 + n)}#", label) for n, label in enumerate(found.labels)))
    for step, loss in found.rows:
        row(
            f'<c r="A#"><v>{step}</v></c><c r="B#"><v>{loss}</v></c>'
            f'<c r="C#"><f>B#*2</f><v>{2 * loss}</v></c>'
        )
    if found.extra:
        row('<c r="A#" t="b"><v>1</v></c>')
    sheet = f'<sheetViews><sheetView><selection activeCell="{view}"/></sheetView></sheetViews>'
    body = "".join(rows)
    if order == -1:
        for number in range(len(texts)):
            body = body.replace(f"<v>{-number - 1}</v></c>", f"<v>{len(texts) - 1 - number}</v></c>", 1)
    parts = {"worksheet": "worksheets/sheet1.xml", "styles": "styles.xml"}
    parts |= {"sharedStrings": "sharedStrings.xml"} if shared else {}
    parts |= {"calcChain": "calcChain.xml"} if chain else {}
    identifiers = {kind: f"{relation}{number}" for number, kind in enumerate(parts)}
    relations = [
        f'<Relationship Id="{identifiers[kind]}" Type="{_TYPES}{kind}" Target="{target}"/>'
        for kind, target in parts.items()
    ][::order]
    items = "".join(f"<si><t>{value}</t></si>" for value in texts[::order])
    files = {
        "[Content_Types].xml": "<Types>"
        + "".join(f'<Override PartName="/xl/{target}" ContentType="{target}"/>' for target in parts.values())
        + "</Types>",
        "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_TYPES[:-1]}"><sheets>'
        f'<sheet name="results" sheetId="1" r:id="{identifiers["worksheet"]}"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships>{''.join(relations)}</Relationships>",
        "xl/worksheets/sheet1.xml": f"<worksheet {_MAIN}>{sheet}<sheetData>{body}</sheetData></worksheet>",
        "xl/styles.xml": f"<styleSheet {_MAIN}><cellXfs>"
        '<xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>',
        "docProps/core.xml": f"<p><created>{date}Z</created></p>",
    }
    if shared:
        files["xl/sharedStrings.xml"] = f"<sst {_MAIN}>{items}</sst>"
    if chain:
        files["xl/calcChain.xml"] = f'<calcChain {_MAIN}><c r="C9"/></calcChain>'
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), data)
    return stream.getvalue()


known(
    "workbook",
    ".xlsx",
    as_workbook,
    NOT_TYPES,
    *TREE[1:],
    benign={
        **{f"date {date}": {"date": date} for date in DATES[1:3]},
        "year": {"year": 2024},
        "packed": {"packed": True},
        "texts in cells": {"shared": False},
        "order of texts": {"order": -1},
        "cursor": {"view": "C7"},
        "identifiers of relations": {"relation": "R"},
        "spans": {"spans": True},
        "order of calculation": {"chain": True},
        "all": {
            "date": DATES[4],
            "shared": False,
            "view": "B2",
            "relation": "x",
            "spans": True,
            "chain": True,
        },
    },
)

"""Workbooks: what changed is named by sheet and cell, what no reader of the numbers sees does not count."""

from __future__ import annotations

import datetime
import io
import time
import zipfile
from typing import Any

import openpyxl
import pytest

from .mutations import BASE
from .mutations.tables import as_workbook


def written(**cells: Any) -> bytes:
    """By openpyxl, with a date, a formula, merged cells and a second sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "results"
    found = {"A1": "loss", "B1": 0.5, "C1": datetime.datetime(2024, 2, 29, 12), "D1": "=B1*2", **cells}
    for place, value in found.items():
        sheet[place] = value
    sheet.merge_cells("F1:G2")
    book.create_sheet("notes")["A1"] = True
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"B1": 0.75}, "cells.B1 0.5 → 0.75"),
        ({"A1": "cost"}, "loss → cost"),
        ({"C1": datetime.datetime(2024, 3, 1, 12)}, "2024-02-29 12:00:00.000 → 2024-03-01 12:00:00.000"),
        ({"D1": "=B1*3"}, "B1*2 → B1*3"),
        ({"B1": "0.5"}, "0.5"),
        ({"E1": 1}, "only in the replay"),
        ({"B1": None}, "only in the original"),
    ],
)
def test_what_changed_is_named(judge, cells: dict[str, Any], words: str) -> None:
    found = judge(written(), written(**cells), "table.xlsx")
    assert (found.comparator, found.finding.verdict) == ("workbook", "different")
    assert words in found.finding.reason
    assert "sheet results" in found.finding.reason


def test_a_number_within_tolerance_is_close(judge) -> None:
    found = judge(written(), written(B1=0.5 + 1e-12), "table.xlsx").finding
    assert found.verdict == "close"


def repacked(data: bytes, *, drop: str = "", **changes: bytes) -> bytes:
    """The archive with members changed (by the end of their names, ``_`` for a dot) or left out."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", 8) as new:
        for entry in old.infolist():
            name = entry.filename.rpartition("/")[2].replace(".", "_")
            if entry.filename != drop:
                new.writestr(entry.filename, changes.get(name, old.read(entry)))
    return stream.getvalue()


@pytest.mark.parametrize("member", ["xl/styles.xml", "xl/theme/theme1.xml", "xl/worksheets/sheet2.xml"])
def test_what_is_no_cell_counts_too(judge, member: str) -> None:
    found = judge(written(), repacked(written(), drop=member), "table.xlsx")
    assert found.finding.verdict == "different"


def laughs(last: str) -> bytes:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE x [<!ENTITY a0 "ha">{entities}]><worksheet>&a11;{last}</worksheet>'.encode()


def cell(body: str) -> bytes:
    return f"<worksheet><sheetData><row>{body}</row></sheetData></worksheet>".encode()


HOSTILE = {
    "entities": laughs,
    "deep": lambda last: b"<a>" * 100_000 + last.encode() + b"</a>" * 100_000,
    "no such text": lambda last: cell(f'<c t="s"><v>{10**15}{last}</v></c>'),
    "no number": lambda last: cell(f"<c><v>{last}x</v></c>"),
    "a cell twice": lambda last: cell(f'<c r="A1"><v>1</v></c><c r="A1"><v>{last}</v></c>'),
    "a huge date": lambda last: cell(f'<c s="1"><v>1e30{last}</v></c>'),
    "a long number": lambda last: cell(f'<c s="1"><v>{"9" * 100_000}{last}</v></c>'),
    "many elements": lambda last: b"<worksheet>" + b"<a/>" * 20_000 + last.encode() + b"</worksheet>",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_lies_is_different_soon(judge, kind: str) -> None:
    began = time.monotonic()
    contents = [repacked(as_workbook(BASE), sheet1_xml=HOSTILE[kind](last)) for last in ("1", "2")]
    found = judge(*contents, "table.xlsx").finding
    assert found.verdict == "different"
    assert "comparator failed" not in found.reason and "reader failed" not in found.reason
    assert time.monotonic() - began < 120


def test_a_sheet_that_unpacks_to_too_much_is_not_read(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envfreeze.compare._workbook.IN_MEMORY", 100 << 10)
    monkeypatch.setattr("envfreeze.compare._worker.inside", True)
    contents = [
        repacked(as_workbook(BASE), sheet1_xml=b"<worksheet>" + b" " * (200 << 10) + last + b"</worksheet>")
        for last in (b"1", b"2")
    ]
    found = judge(*contents, "table.xlsx")
    assert (found.comparator, found.finding.verdict) == ("zip", "different")
    assert "is too large" in found.finding.reason


@pytest.mark.parametrize("target", ["../../../../etc/passwd", "/etc/passwd", "sheets/none.xml"])
def test_relations_never_leave_the_archive(judge, target: str) -> None:
    relations = (
        f'<Relationships><Relationship Id="rId0" Type="x/worksheet" Target="{target}"/></Relationships>'
    )
    contents = [
        repacked(as_workbook(found), workbook_xml_rels=relations.encode())
        for found in (BASE, BASE._replace(metric=0.5))
    ]
    found = judge(*contents, "table.xlsx")
    assert (found.comparator, found.finding.verdict) == ("zip", "different")
    assert "a workbook without" in found.finding.reason

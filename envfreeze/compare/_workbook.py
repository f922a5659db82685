"""Workbooks of Excel as trees of values: cells by their sheets and places (ECMA-376, part 1, 18).

Numbers in cells whose format is one of dates are shown as dates too; texts stand in the cell or in a table
that all sheets share, which is no difference.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from envfreeze.compare import NotThisKind
from envfreeze.compare._limits import IN_MEMORY, budget
from envfreeze.compare._numbers import is_number
from envfreeze.compare._tally import shown
from envfreeze.compare._tree import Number, Object, Unordered, Value
from envfreeze.compare._xml import Element, read, tree

WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_TYPES = "[Content_Types].xml"
_DERIVED = ("/sharedStrings", "/calcChain")
"""Parts that follow from the cells, at the end of their types and relations."""
_DATE_FORMATS = frozenset({*range(14, 23), *range(45, 48)})
"""Built-in formats of dates and times (18.8.30)."""
_NO_LETTERS = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
"""Parts of a format that are written as they are, or say a colour or a condition."""
_VIEWS = ("sheetViews", "dimension", "bookViews", "fileVersion")
"""Where the cursor was, the size that follows from the cells, and the program's version."""
_LAST = 2_958_465
"""The serial number of 9999-12-31."""


class Book:
    """A workbook; what is read of it is spent from the budget.

    Raises:
        NotThisKind: it is damaged, or no workbook.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.names = set(archive.namelist())
        self.asides: dict[str, str] = {"view of a sheet": "", "where texts are kept": ""}
        book = self._read(WORKBOOK)
        relations = {
            item.attributes.get("Id", ""): item.attributes for item in _elements(self._read(_RELATIONS))
        }
        targets = {key: _target(found.get("Target", "")) for key, found in relations.items()}
        parts = {_kind(found): targets[key] for key, found in relations.items()}
        self.texts = self._texts(parts.get("sharedStrings"))
        self.dates = self._dates(parts.get("styles"))
        properties = _child(book, "workbookPr")
        mac = properties is not None and properties.attributes.get("date1904") in ("1", "true")
        self.start = datetime(1904, 1, 1) if mac else datetime(1899, 12, 30)
        self.handled = {WORKBOOK, _RELATIONS, _TYPES, *self._derived(parts)}
        self.sheets = dict(self._sheets(book, targets))
        self.rest = self._without_views(book)
        self.lists = {
            "relations": self._list(_RELATIONS, "Type", "Target"),
            "content types": self._list(_TYPES, "Extension", "PartName", "ContentType"),
        }

    def tree(self) -> dict[str, Value]:
        """The sheets by their names, and what else the book says."""
        return {
            **{f"sheet {name}": sheet for name, sheet in self.sheets.items()},
            "book": self.rest,
            **self.lists,
        }

    def _read(self, name: str) -> Element:
        try:
            entry = self.archive.getinfo(name)
        except KeyError:
            raise NotThisKind(f"a workbook without {shown(name)}") from None
        if entry.file_size > IN_MEMORY:
            raise NotThisKind(f"{shown(name)} is too large")
        with self.archive.open(entry) as stream:
            data = stream.read(IN_MEMORY + 1)
        if len(data) > IN_MEMORY:
            raise NotThisKind(f"{shown(name)} is too large")
        budget().spend(len(data))
        return read(data)

    def _derived(self, parts: dict[str, str]) -> Iterator[str]:
        for kind in ("sharedStrings", "calcChain"):
            if kind in parts and parts[kind] in self.names:
                yield parts[kind]
                self.asides["where texts are kept"] += kind

    def _texts(self, name: str | None) -> list[Value]:
        return [] if name is None else [_text(item) for item in _elements(self._read(name))]

    def _dates(self, name: str | None) -> list[bool]:
        """For each style of cells, whether its numbers are dates."""
        if name is None:
            return []
        styles = self._read(name)
        own = {
            found.attributes.get("numFmtId"): found.attributes.get("formatCode", "")
            for found in _elements(_child(styles, "numFmts"))
        }
        return [
            _is_date(found.attributes.get("numFmtId", "0"), own)
            for found in _elements(_child(styles, "cellXfs"))
        ]

    def _sheets(self, book: Element, targets: dict[str, str]) -> Iterator[tuple[str, Value]]:
        met: set[str] = set()
        for place, sheet in enumerate(_elements(_child(book, "sheets"))):
            attributes = {key.rpartition(" ")[2]: text for key, text in sheet.attributes.items()}
            name, target = attributes.get("name", ""), targets.get(attributes.get("id", ""), "")
            if name in met:
                raise NotThisKind("two sheets of one name")
            met.add(name)
            state = {"place": Number(str(place)), "state": attributes.get("state", "visible")}
            self.handled.add(target)
            yield name, Object("sheet", {**state, **self._sheet(self._read(target))})

    def _sheet(self, sheet: Element) -> dict[str, Value]:
        cells: dict[str, Value] = {}
        rows: dict[str, Value] = {}
        for number, row in enumerate(_elements(_child(sheet, "sheetData")), 1):
            facts = {key: text for key, text in row.attributes.items() if not _is_layout(key)}
            if facts:
                rows[row.attributes.get("r", str(number))] = dict(facts)
            for column, cell in enumerate(_elements(row), 1):
                place = cell.attributes.get("r") or f"row {row.attributes.get('r', number)}, cell {column}"
                if place in cells:
                    raise NotThisKind(f"two cells at {shown(place)}")
                if (found := self._cell(cell)) is not None:
                    cells[place] = found
        sheet.items = [item for item in sheet.items if _tag(item) != "sheetData"]
        return {"cells": cells, "rows": rows, "layout": self._without_views(sheet)}

    def _cell(self, cell: Element) -> Value:
        kind, style = cell.attributes.get("t", "n"), cell.attributes.get("s", "0")
        value, formula, inline = (_child(cell, tag) for tag in ("v", "f", "is"))
        text = _plain(value) if value is not None else None
        found: dict[str, Value] = {}
        if formula is not None:
            found["formula"] = tree(formula)
        if inline is not None and kind == "inlineStr":
            found[""] = _text(inline)
        elif text:
            found[""] = self._value(kind, text, style)
        others = {_tag(item) for item in cell.items if isinstance(item, Element)} - {"v", "f", "is"}
        if others:
            found["more"] = tree(cell)
        if not found and style == "0":
            return None
        if style != "0":
            found["style"] = Number(style)
        return found[""] if set(found) == {""} else Object("cell", found)

    def _value(self, kind: str, text: str, style: str) -> Value:
        if kind == "s":
            if not text.isdecimal() or int(text) >= len(self.texts):
                raise NotThisKind("a cell with a text that is not there")
            return self.texts[int(text)]
        if kind == "b":
            return text in ("1", "true")
        if kind in ("str", "e", "d"):
            return text if kind != "e" else Object("error", {"": text})
        if not is_number(text):
            raise NotThisKind("a cell with a number that is none")
        place = int(style) if style.isdecimal() else 0
        date = self._date(text) if place < len(self.dates) and self.dates[place] else ""
        return Object("date", {"": date, "serial": Number(text)}) if date else Number(text)

    def _date(self, text: str) -> str:
        serial = float(text)
        if not 0 <= serial <= _LAST:
            return ""
        return (self.start + timedelta(days=serial)).isoformat(sep=" ", timespec="milliseconds")

    def _without_views(self, element: Element) -> Value:
        for item in element.items:
            if _tag(item) in _VIEWS:
                self.asides["view of a sheet"] += repr(tree(item)) if isinstance(item, Element) else ""
            elif _tag(item) == "calcPr" and isinstance(item, Element):
                item.attributes.pop("calcId", None)
            elif _tag(item) == "sheets" and isinstance(item, Element):
                item.items = []
        element.items = [item for item in element.items if _tag(item) not in _VIEWS]
        return tree(element)

    def _list(self, name: str, *attributes: str) -> Value:
        """Relations or types by what they say, whose order and identifiers are no results."""
        if name not in self.names:
            return None
        found: list[Value] = []
        for item in _elements(self._read(name)):
            said = " ".join(item.attributes.get(key, "") for key in attributes)
            if not any(part in said for part in _DERIVED):
                found.append(said)
        return Unordered(found)


def _tag(item: Any) -> str:
    return item.tag.rpartition(" ")[2] if isinstance(item, Element) else ""


def _elements(element: Element | None) -> list[Element]:
    return [] if element is None else [item for item in element.items if isinstance(item, Element)]


def _child(element: Element, tag: str) -> Element | None:
    return next((item for item in _elements(element) if _tag(item) == tag), None)


def _plain(element: Element) -> str:
    return "".join(item for item in element.items if isinstance(item, str))


def _text(item: Element) -> Value:
    """A text; one with formats of its own, or a reading aid, with all that it holds."""
    inside = _elements(item)
    if len(inside) == 1 and _tag(inside[0]) == "t":
        return _plain(inside[0])
    return tree(item)


def _kind(relation: dict[str, str]) -> str:
    return relation.get("Type", "").rpartition("/")[2]


def _target(target: str) -> str:
    """A part's name: absolute, or relative to the folder of the workbook."""
    path = target[1:] if target.startswith("/") else f"xl/{target}"
    return posixpath.normpath(path)


def _is_layout(key: str) -> bool:
    """Attributes of a row that follow from its cells and the font."""
    return key in ("r", "spans") or key.rpartition(" ")[2] == "dyDescent"


def _is_date(number: str, own: dict[str | None, str]) -> bool:
    if number in own:
        return re.search(r"[dmyhs]", _NO_LETTERS.sub("", own[number]), re.I) is not None
    return number.isdecimal() and int(number) in _DATE_FORMATS

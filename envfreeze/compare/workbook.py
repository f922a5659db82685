"""Workbooks of Excel (``.xlsx``, ``.xlsm``), cell by cell: values, formulas, dates, styles.

What else lies in them, such as charts and the table of styles, is compared as a member of an archive. No
results are: where texts are kept, the order of calculation, and where the cursor was.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._members import Member, compare_members
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import add_trees
from envfreeze.compare._workbook import WORKBOOK, Book
from envfreeze.compare.zip_ import DAMAGED, MAGICS, damaged, members

_FIRST = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/", b"customXml/")
"""What the first member of a workbook is called."""


def recognises(sample: Sample) -> bool:
    """A ZIP archive whose first member is one of such documents, and that has a workbook."""
    if not sample.head.startswith(MAGICS) or not sample.head[30:].startswith(_FIRST):
        return False
    try:
        with zipfile.ZipFile(sample.path) as archive:
            return WORKBOOK in archive.NameToInfo
    except DAMAGED:
        return False


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By cells, then by the other members.

    Raises:
        NotThisKind: damaged, encrypted, or it unpacks to too much.
    """
    try:
        with zipfile.ZipFile(original) as one, zipfile.ZipFile(replay) as two:
            return _compare(one, two, options)
    except DAMAGED as error:
        raise damaged(error) from None


def _compare(one: zipfile.ZipFile, two: zipfile.ZipFile, options: Options) -> Finding:
    tally = Tally(options)
    books = Book(one), Book(two)
    for name in books[0].asides:
        if books[0].asides[name] != books[1].asides[name]:
            tally.aside(name)
    trees = [book.tree() for book in books]
    if list(trees[0]) != list(trees[1]) and set(trees[0]) == set(trees[1]):
        tally.differ("sheets", ", ".join(trees[0]), ", ".join(trees[1]), "order")
    add_trees(trees[0], trees[1], tally, root="$", in_data=True)
    compare_members(_others(one, books[0].handled), _others(two, books[1].handled), options, tally)
    return tally.finding("the same cells; the archive's own bytes differ")


def _others(archive: zipfile.ZipFile, handled: set[str]) -> Iterator[Member]:
    names = archive.namelist()
    if len(set(names)) != len(names):
        raise NotThisKind("two members of one name")
    return (member for member in members(archive) if member.name not in handled)


COMPARATOR = Comparator(name="workbook", priority=72, recognises=recognises, compare=compare, isolated=True)

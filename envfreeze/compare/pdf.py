"""PDF documents (ISO 32000), object by object from the document's catalogue, streams unpacked.

No results are: the dates, the identifier of the file (14.4), the numbers and order of objects, the tags of
subsets of fonts, and compression. In the text of a page the first place that differs is named, and how the
pages look is told (``_pages``).
"""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import budget, missing, whole
from envfreeze.compare._numbers import is_number
from envfreeze.compare._pages import look
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import Blob, Number, Object, Value, add_trees

MAX_OBJECTS = 300_000
_DATES = ("/CreationDate", "/ModDate", "/LastModified")
_DATE = re.compile(r"D:\d{4}[\d+\-'Z]*")
_FONT_NAMES = ("/BaseFont", "/FontName")
_SUBSET = re.compile(r"/[A-Z]{6}\+")
"""Six letters of the writer's choice before the name of a font of which some glyphs are there (9.6.4)."""
_XMP_DATE = re.compile(
    rb"(<xmp:(?:CreateDate|ModifyDate|MetadataDate)>)[0-9T:.+\-Z]*(<)|(<xmpMM:\w+ID>)[^<]*(<)"
)


def recognises(sample: Sample) -> bool:
    """By the first bytes."""
    return sample.head.startswith(b"%PDF-")


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By objects.

    Raises:
        NotThisKind: pypdf is not installed, the document is damaged, encrypted or too large.
    """
    try:
        import pypdf
    except ImportError:
        raise missing("pypdf") from None
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    readers = []
    for path in (original, replay):
        try:
            reader = pypdf.PdfReader(io.BytesIO(whole(path)), strict=True)
            if reader.is_encrypted:
                raise NotThisKind("it is encrypted")
            readers.append(_Document(reader, path))
        except NotThisKind:
            raise
        except Exception as error:  # of many types, as pypdf meets what it meets
            raise NotThisKind(f"damaged ({type(error).__name__})") from None
    one, two = readers
    tally = Tally(options)
    if list(one.subsets) != list(two.subsets):
        tally.aside("tag of a font's subset", len(set(one.subsets) ^ set(two.subsets)) or 1)
    for name in ("date", "identifier of the file"):
        if one.asides.get(name) != two.asides.get(name):
            tally.aside(name)
    add_trees(one.tree, two.tree, tally, root="document")
    finding = tally.finding("the same objects; their numbers, order or compression differ")
    return _with_look(finding, one, two, options) if tally.differing else finding


def _with_look(finding: Finding, one: _Document, two: _Document, options: Options) -> Finding:
    """The finding with the first line of text that differs, and how the pages look."""
    seen = look(one.path, two.path, options)
    told, shown = [finding.reason, seen.words], list(seen.differences)
    if words := _texts(one.reader, two.reader):
        tally = Tally(options)
        tally.differ(*words)
        found = tally.finding("")
        told, shown = [found.reason, *told], [*found.differences, *shown]
    shown += finding.differences
    return replace(finding, reason="; ".join(told), differences=tuple(shown[: options.max_differences]))


class _Document:
    """A document as a tree, with what was taken out of it."""

    def __init__(self, reader: Any, path: Path) -> None:
        self.reader, self.path = reader, path
        self.subsets: dict[str, str] = {}
        self.asides: dict[str, str] = {}
        self.met: dict[tuple[int, int], Value] = {}
        self.count = 0
        trailer = {key: value for key, value in reader.trailer.items() if key in ("/Root", "/Info", "/ID")}
        self.asides["identifier of the file"] = str(trailer.pop("/ID", ""))
        self.tree = self._mapping(trailer, 0)
        self.tree["version"] = str(reader.pdf_header)

    def _value(self, value: Any, depth: int) -> Value:
        from pypdf import generic

        self.count += 1
        if self.count > MAX_OBJECTS or depth > 400:
            raise NotThisKind("it has too many objects, or they are nested too deeply")
        if isinstance(value, generic.IndirectObject):
            key = value.idnum, value.generation
            if key not in self.met:
                holder = self.met[key] = Object("object", {})
                holder.parts[""] = self._value(value.get_object(), depth + 1)
            return self.met[key]
        if isinstance(value, generic.StreamObject):
            return self._stream(value, depth)
        if isinstance(value, generic.DictionaryObject):
            return self._mapping(value, depth)
        if isinstance(value, generic.ArrayObject):
            return [self._value(item, depth + 1) for item in value]
        if isinstance(value, generic.NullObject) or value is None:
            return None
        text = str(value.value if isinstance(value, generic.BooleanObject) else value)
        return Number(text) if is_number(text) and not isinstance(value, str) else f"{_kind(value)}{text}"

    def _mapping(self, value: Any, depth: int) -> dict[str, Value]:
        from pypdf import generic

        result: dict[str, Value] = {}
        for key in value:
            item = value.raw_get(key) if isinstance(value, generic.DictionaryObject) else value[key]
            if key in _DATES and _DATE.fullmatch(str(item)):
                self.asides["date"] = self.asides.get("date", "") + str(item)
                item = generic.NameObject("/date")
            if key in _FONT_NAMES and _SUBSET.match(str(item)):
                item = generic.NameObject(self._font(str(item)))
            result[str(key).removeprefix("/")] = self._value(item, depth + 1)
        return result

    def _font(self, name: str) -> str:
        """The name of a font with the number of its tag, in the order in which tags are met."""
        tag, _, plain = name[1:].partition("+")
        number = self.subsets.setdefault(tag, f"subset {len(self.subsets) + 1}")
        return f"/{number}+{plain}"

    def _stream(self, value: Any, depth: int) -> Value:
        """Unpacked where the filter is for any data; a picture's own compression stays."""
        parts = {
            key: value.raw_get(key) for key in value if key not in ("/Length", "/Filter", "/DecodeParms")
        }
        filters = str(value.get("/Filter", ""))
        data = bytes(value._data)
        if filters and not any(name in filters for name in ("DCT", "JPX", "CCITT", "JBIG2")):
            data = bytes(value.get_data())
        elif filters:
            parts["/Filter"] = value.raw_get("/Filter")
        budget().spend(len(data))
        if str(value.get("/Subtype", "")) == "/XML":
            dates = b"".join(match[0] for match in _XMP_DATE.finditer(data))
            self.asides["date"] = self.asides.get("date", "") + dates.decode("latin-1")
            data = _XMP_DATE.sub(rb"\1\2\3\4", data)
        holder = {key: parts[key] for key in parts}
        return Object("stream", {**self._mapping(holder, depth), "": Blob(data)})


def _kind(value: Any) -> str:
    """A name is told from a text."""
    return "" if str(value).startswith("/") else "text " if isinstance(value, str) else ""


def _texts(one: Any, two: Any) -> tuple[str, str, str] | None:
    """The first line of text that differs."""
    try:
        for number, pages in enumerate(zip(one.pages, two.pages, strict=False), 1):
            lines = [page.extract_text().splitlines() for page in pages]
            for first, second in zip(*lines, strict=False):
                if first != second:
                    return f"page {number}", first, second
    except Exception:  # the text is only for the reason
        return None
    return None


COMPARATOR = Comparator(name="pdf", priority=77, recognises=recognises, compare=compare, isolated=True)

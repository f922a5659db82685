"""XML as a tree of values, by expat; documents that define entities are refused, and nothing is fetched."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from xml.parsers import expat

from envfreeze.compare import NotThisKind
from envfreeze.compare._numbers import is_number
from envfreeze.compare._tree import Number, Object, Value

MAX_DEPTH = 200
MAX_ELEMENTS = 2_000_000
_NAMES = ("r", "id", "name", "Id")
"""Attributes that name an element among its siblings."""


class Element:
    """An element while it is read."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.items: list[str | Element] = []


def read(data: bytes) -> Element:
    """The root element.

    Raises:
        NotThisKind: not well formed, nested too deeply, or with entities of its own (which can stand for any
            amount of text: https://cve.mitre.org/cgi-bin/cvename.cgi?name=CVE-2003-1564).
    """
    top = Element("", {})
    stack, count = [top], 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > MAX_DEPTH or count > MAX_ELEMENTS:
            raise NotThisKind("it has too many elements, or they are nested too deeply")
        element = Element(tag, attributes)
        stack[-1].items.append(element)
        stack.append(element)

    def refuse(*_: Any) -> None:
        raise NotThisKind("it defines entities")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.CharacterDataHandler = lambda text: stack[-1].items.append(text)
    parser.ProcessingInstructionHandler = lambda target, text: stack[-1].items.append(f"<?{target} {text}?>")
    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NotThisKind(f"not well formed ({error})") from None
    return next(item for item in top.items if isinstance(item, Element))


def tree(element: Element) -> Object:
    """Attributes by ``@name``; members by their tag, and by number or name where a tag comes again.

    White space between elements is left out; comments were not read. The order of elements counts.
    """
    parts: dict[str, Value] = {f"@{_local(name)}": _scalar(text) for name, text in element.attributes.items()}
    has_elements = any(isinstance(item, Element) for item in element.items)
    tags = Counter(_local(item.tag) for item in element.items if isinstance(item, Element))
    numbers: Counter[str] = Counter()
    for item in element.items:
        if isinstance(item, str):
            if not has_elements or item.strip():
                numbers["text"] += 1
                key = "" if not has_elements else f"text {numbers['text']}"
                parts[key] = _scalar(item)
            continue
        tag = _local(item.tag)
        numbers[tag] += 1
        key = tag if tags[tag] == 1 else f"{tag} {numbers[tag]}"
        parts[key] = tree(item)
    plain = parts.pop("", None)
    if set(parts) <= {"@type"} and plain is not None:
        return Object(element.tag, {**parts, "": plain}, ordered=True)
    if plain is not None:
        parts["text"] = plain
    return Object(element.tag, parts, ordered=any(not key.startswith("@") for key in parts))


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


_SPACE = re.compile(r"\s+")


def _scalar(text: str) -> Value:
    stripped = text.strip()
    return Number(stripped) if is_number(stripped) else text

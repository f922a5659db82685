"""JSON (RFC 8259) by value: the order of keys and white space are no results, every digit is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._tally import shown
from envfreeze.compare._tree import Number, Value, compare_trees

MAX_SIZE = 16 << 20
"""Bytes; a larger file is compared as text, line by line, as a tree of it would not fit in memory."""


def recognises(sample: Sample) -> bool:
    """An object or a list at the start; small enough."""
    return sample.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") and sample.size <= MAX_SIZE


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Equivalent, close or different by value.

    Raises:
        NotThisKind: not JSON, nested too deeply, or a key is written twice in one object (what that means is
            left open by RFC 8259).
    """
    return compare_trees(load(original), load(replay), options)


def load(path: Path) -> Value:
    """The tree of values; NaN and infinities, which Python writes though RFC 8259 has none, are numbers."""
    try:
        return parse(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NotThisKind(str(error)) from None


def parse(text: str) -> Value:
    """As ``load``."""
    try:
        return json.loads(
            text,
            parse_float=Number,
            parse_int=Number,
            parse_constant=Number,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:
        raise NotThisKind("nested too deeply" if isinstance(error, RecursionError) else str(error)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise NotThisKind(f"the key {shown(twice)!r} is written twice")
    return result


COMPARATOR = Comparator(name="json", priority=60, recognises=recognises, compare=compare)

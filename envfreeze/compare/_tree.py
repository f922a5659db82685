"""Nested values, as JSON and YAML hold them, compared by value."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from envfreeze.compare import Finding, NotThisKind, Options
from envfreeze.compare._arrays import compare_arrays
from envfreeze.compare._contents import compare_blobs
from envfreeze.compare._floats import Encoding
from envfreeze.compare._numbers import FLOAT32, FLOAT64
from envfreeze.compare._set_aside import key_rule
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally, shown
from envfreeze.records.verdict import Verdict


class Number(NamedTuple):
    """A number as it was written, so that no digit is lost."""

    text: str


class Single(Number):
    """A float of 4 bytes, so written that it can be had back."""


class Array(NamedTuple):
    """An array: of numpy, or what has ``dtype``, ``shape`` and indices like one."""

    data: Any
    encoding: Encoding | None = None


class Blob(NamedTuple):
    """Bytes of any kind, compared as a file of the kind would be."""

    data: bytes
    suffix: str = ""


class Object(NamedTuple):
    """A value of a named type: its name counts, and if it is ``ordered`` the order of its parts but for
    attributes of XML (``@name``)."""

    kind: str
    parts: dict[str, Any]
    ordered: bool = False


class Unordered(NamedTuple):
    """A set."""

    items: list[Any]


Value = Any
"""None, bool, str, ``Number``, list of values, dict from str to values, or one of the above."""

MAX_VALUES = 5_000_000
"""Pairs of values that are looked at."""
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class _Pair(NamedTuple):
    where: str
    original: Value
    replay: Value
    in_data: bool


def compare_trees(original: Value, replay: Value, options: Options) -> Finding:
    """Equivalent when all values are equal, whatever the order of keys; types must agree.

    Raises:
        NotThisKind: there are more than ``MAX_VALUES`` values.
    """
    tally = Tally(options)
    add_trees(original, replay, tally, root="$")
    return tally.finding("the same values; order of keys, white space or spelling differ")


def add_trees(
    original: Value, replay: Value, tally: Tally, *, root: str, in_data: bool = False, step: str = ""
) -> None:
    """Compare two trees into a tally; places are named from ``root`` on, or ``at step``.

    A pair of containers that was compared is not compared again, so that shared and cyclic parts end.
    """
    pending = [_Pair(root, original, replay, in_data)]
    met: set[tuple[int, int]] = set()
    seen = 0
    while pending:
        pair = pending.pop()
        seen += 1
        if seen > MAX_VALUES:
            raise NotThisKind(f"it holds more than {MAX_VALUES} values")
        if isinstance(pair.original, dict | list | Object):
            ids = id(pair.original), id(pair.replay)
            if ids in met:
                continue
            met.add(ids)
        pending += reversed(_compare(pair, tally, step))


def _compare(pair: _Pair, tally: Tally, step: str) -> list[_Pair]:
    """Compare one value; return the pairs inside it, in order."""
    where, one, two, _ = pair
    if type(one) is not type(two):
        tally.differ(where, brief(one), brief(two))
    elif isinstance(one, dict):
        return _mapping(pair, tally)
    elif isinstance(one, list):
        shared = min(len(one), len(two))
        if len(one) != len(two):
            tally.differ(where, f"{len(one)} items", f"{len(two)} items")
        return [_Pair(f"{where}[{index}]", one[index], two[index], True) for index in range(shared)]
    elif isinstance(one, Number):
        name = _bare(where) if step else ""
        default = FLOAT32 if isinstance(one, Single) else FLOAT64
        label = f"{name} at {step}" if step else where
        tally.number(label, one.text, two.text, group=name, default=default)
    elif isinstance(one, Array):
        _arrays(where, one, two, tally)
    elif isinstance(one, Blob):
        if one.data != two.data:
            tally.include(where, compare_blobs(where + one.suffix, one.data, two.data, tally.options))
    elif isinstance(one, Object):
        return _objects(pair, tally)
    elif isinstance(one, Unordered):
        items = [sorted(side.items, key=_sort_key) for side in (one, two)]
        return [_Pair(where, items[0], items[1], True)]
    elif isinstance(one, str):
        tally.text(where, one, two)
    elif one != two:
        tally.differ(where, brief(one), brief(two))
    return []


def _bare(where: str) -> str:
    """A place without the root: ``$["train/loss"]`` is ``train/loss``."""
    return re.sub(r'^\$(?:\.|\["(.*)"\]$)', r"\1", where)


def _arrays(where: str, one: Array, two: Array, tally: Tally) -> None:
    name = _bare(where)
    if one.encoding != two.encoding:
        names = [side.encoding.name if side.encoding else str(side.data.dtype) for side in (one, two)]
        tally.differ(name, names[0], names[1], "type")
        return
    finding = compare_arrays(name, one.data, two.data, tally.options, one.encoding)
    if finding.verdict is not Verdict.EQUIVALENT:
        tally.array(name, finding)


def _objects(pair: _Pair, tally: Tally) -> list[_Pair]:
    where, one, two, in_data = pair
    if one.kind != two.kind:
        tally.differ(where, shown(one.kind), shown(two.kind), "type")
        return []
    keys = [[key for key in side.parts if not key.startswith("@")] for side in (one, two)]
    if one.ordered and keys[0] != keys[1] and set(keys[0]) == set(keys[1]):
        orders = [", ".join(side) for side in keys]
        tally.differ(where, orders[0], orders[1], "order of keys")
    return _mapping(_Pair(where, one.parts, two.parts, in_data), tally)


def _sort_key(value: Value, depth: int = 0) -> str:
    """Text by which the members of a set are put in order."""
    if depth > 3:
        return "…"
    if isinstance(value, Object):
        value = [value.kind, value.parts]
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(
                sorted(f"{key}:{_sort_key(item, depth + 1)}" for key, item in list(value.items())[:50])
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(_sort_key(item, depth + 1) for item in value[:50]) + "]"
    if isinstance(value, Unordered):
        return "{" + ",".join(sorted(_sort_key(item, depth + 1) for item in value.items[:50])) + "}"
    return brief(value)


def _mapping(pair: _Pair, tally: Tally) -> list[_Pair]:
    where, one, two, in_data = pair
    inside = []
    for key, value in one.items():
        place = _place(where, key)
        if key not in two:
            tally.differ(place, brief(value), "", ONLY_ORIGINAL)
            continue
        rule = key_rule(key, _plain(value), _plain(two[key]), in_data=in_data)
        if rule is not None:
            tally.aside(rule.name)
        else:
            inside.append(_Pair(place, value, two[key], in_data))
    for key in two:
        if key not in one:
            tally.differ(_place(where, key), "", brief(two[key]), ONLY_REPLAY)
    return inside


def _plain(value: Value) -> Value:
    """The text of an element of XML that has no more than its type beside it."""
    if isinstance(value, Object) and "" in value.parts and set(value.parts) <= {"", "@type"}:
        return value.parts[""]
    return value


def _place(where: str, key: str) -> str:
    if not key:
        return where
    if _PLAIN_KEY.fullmatch(key):
        return f"{where}.{key}"
    return f"{where}[{shown(json.dumps(key, ensure_ascii=False))}]"


def brief(value: Value) -> str:
    """A value in a few words: scalars as JSON writes them."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return f"a mapping of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, Array):
        kind = value.encoding.name if value.encoding else value.data.dtype
        return f"an array {list(value.data.shape)} of {kind}"
    if isinstance(value, Blob):
        return f"{len(value.data)} bytes"
    if isinstance(value, Object):
        return value.kind
    if isinstance(value, Unordered):
        return f"a set of {len(value.items)}"
    return json.dumps(value, ensure_ascii=False)

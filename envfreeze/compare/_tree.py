"""Nested values, as JSON and YAML hold them, compared by value."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from envfreeze.compare import Finding, NotThisKind, Options
from envfreeze.compare._set_aside import key_rule
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally, shown


class Number(NamedTuple):
    """A number as it was written, so that no digit is lost."""

    text: str


Value = Any
"""None, bool, str, ``Number``, list of values, or dict from str to values."""

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
    pending = [_Pair("$", original, replay, False)]
    seen = 0
    while pending:
        pair = pending.pop()
        seen += 1
        if seen > MAX_VALUES:
            raise NotThisKind(f"it holds more than {MAX_VALUES} values")
        pending += reversed(_compare(pair, tally))
    return tally.finding("the same values; order of keys, white space or spelling differ")


def _compare(pair: _Pair, tally: Tally) -> list[_Pair]:
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
        tally.number(where, one.text, two.text)
    elif isinstance(one, str):
        tally.text(where, one, two)
    elif one != two:
        tally.differ(where, brief(one), brief(two))
    return []


def _mapping(pair: _Pair, tally: Tally) -> list[_Pair]:
    where, one, two, in_data = pair
    inside = []
    for key, value in one.items():
        place = _place(where, key)
        if key not in two:
            tally.differ(place, brief(value), "", ONLY_ORIGINAL)
            continue
        rule = key_rule(key, value, two[key], in_data=in_data)
        if rule is not None:
            tally.aside(rule.name)
        else:
            inside.append(_Pair(place, value, two[key], in_data))
    for key in two:
        if key not in one:
            tally.differ(_place(where, key), "", brief(two[key]), ONLY_REPLAY)
    return inside


def _place(where: str, key: str) -> str:
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
    return json.dumps(value, ensure_ascii=False)

"""TOML 1.0 by value: the order of keys, comments and spelling are no results."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._tree import Number, Value, compare_trees

MAX_SIZE = 8 << 20


def recognises(sample: Sample) -> bool:
    """By the suffix, as much text looks like TOML."""
    return sample.suffix == ".toml" and sample.size <= MAX_SIZE


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value.

    Raises:
        NotThisKind: not TOML, or nested too deeply.
    """
    return compare_trees(_load(original), _load(replay), options)


def _load(path: Path) -> Value:
    try:
        return _value(tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Number))
    except (ValueError, RecursionError) as error:
        raise NotThisKind(f"no TOML ({error})") from None


def _value(value: Any) -> Value:
    if isinstance(value, dict):
        return {key: _value(item) for key, item in value.items()}
    if isinstance(value, Number | bool | str):
        return value
    if isinstance(value, list):
        return [_value(item) for item in value]
    return Number(str(value)) if isinstance(value, int) else value.isoformat()


COMPARATOR = Comparator(name="toml", priority=50, recognises=recognises, compare=compare)

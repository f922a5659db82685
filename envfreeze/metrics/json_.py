"""Metrics in JSON (RFC 8259) and JSON Lines: numbers at the leaves; of a list of numbers the last one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envfreeze.compare import Sample
from envfreeze.metrics import MAX_SIZE, NotFound, Reader
from envfreeze.metrics._not_results import is_result
from envfreeze.metrics._selector import Index, Key, Step, quoted, text_of

_MAX_DEPTH = 20
_MAX_LIST = 100


def recognises(sample: Sample) -> bool:
    """An object or a list; JSON Lines are told by their suffix."""
    return sample.suffix in (".json", ".jsonl", ".ndjson", "") and sample.head.lstrip()[:1] in (b"{", b"[")


def found(path: Path) -> Iterator[tuple[str, float]]:
    """The leaves that are numbers."""
    yield from _leaves(_content(path), "", "", 0)


def look_up(path: Path, steps: tuple[Step, ...]) -> float:
    """The number at the end of the steps."""
    value = _content(path)
    for place, step in enumerate(steps):
        here = text_of(steps[: place + 1])
        if isinstance(step, Key) and isinstance(value, dict):
            if step.name not in value:
                raise NotFound(f"there is no {here}; there are {_some(value)}")
            value = value[step.name]
        elif isinstance(step, Index) and isinstance(value, list):
            if not -len(value) <= step.place < len(value):
                raise NotFound(f"there is no {here}: the list has {len(value)} values")
            value = value[step.place]
        else:
            raise NotFound(f"there is no {here}")
    if not _is_number(value):
        raise NotFound(f"{text_of(steps)} is no number")
    return _float(value)


def _content(path: Path) -> Any:
    if path.stat().st_size > MAX_SIZE:
        raise NotFound(f"it is larger than {MAX_SIZE >> 20} MiB")
    data = path.read_bytes()
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        try:  # JSON Lines: a record a line, the last of which is the newest
            lines = [line for line in data.splitlines() if line.strip()]
            return json.loads(lines[-1]) if len(lines) > 1 and json.loads(lines[0]) is not None else {}
        except (ValueError, RecursionError):
            raise NotFound(f"it is no JSON: {type(error).__name__}") from None


def _leaves(value: Any, selector: str, name: str, depth: int) -> Iterator[tuple[str, float]]:
    if depth > _MAX_DEPTH:
        return
    if _is_number(value):
        if is_result(name):
            yield selector, _float(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            part = quoted(key)
            yield from _leaves(inner, f"{selector}.{part}" if selector else part, key, depth + 1)
    elif isinstance(value, list) and value:
        if all(_is_number(inner) for inner in value):
            yield from _leaves(value[-1], f"{selector}[-1]", name, depth + 1)
        elif all(isinstance(inner, dict) for inner in value):
            for place, inner in enumerate(value[:_MAX_LIST]):
                yield from _leaves(inner, f"{selector}[{place}]", name, depth + 1)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _some(value: dict[str, Any]) -> str:
    names = [quoted(name) for name in list(value)[:8]]
    return ", ".join(names) + (", …" if len(value) > 8 else "") if names else "no keys"


READER = Reader(name="json", priority=30, recognises=recognises, found=found, look_up=look_up)

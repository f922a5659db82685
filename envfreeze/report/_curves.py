"""Curves in outputs: quantities that both runs wrote step by step, found in tables, JSON and logs."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from envfreeze.compare.csv_ import delimiter
from envfreeze.records.report import Curve

MAX_BYTES = 16 << 20
"""Larger outputs are compared, and not drawn."""
MAX_CURVES = 6
"""Curves drawn of one output: those that part first."""
MIN_STEPS = 3
MAX_POINTS = 400
"""Points drawn of one curve."""

_STEP_NAMES = ("step", "epoch", "iteration", "iter", "global_step", "batch", "round")
_LOG_PAIR = re.compile(r"([A-Za-z][\w./-]{0,40})\s*[:=]\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.])")

Columns = dict[str, list[float | None]]


def curves(original: Path, replay: Path, name: str) -> tuple[Curve, ...]:
    """The curves that part, the earliest first; empty when there are none or the output is no such thing.

    Never raises for what is in the files.
    """
    try:
        if max(original.stat().st_size, replay.stat().st_size) > MAX_BYTES:
            return ()
        ours, theirs = (_columns(path, name) for path in (original, replay))
    except (OSError, ValueError, RecursionError, csv.Error):
        return ()
    found = [_curve(key, ours, theirs) for key in ours if key in theirs and key not in _STEP_NAMES]
    parting = [curve for curve in found if curve is not None and curve.parting is not None]
    parting.sort(key=lambda curve: (curve.parting or 0, curve.name))
    return tuple(parting[:MAX_CURVES])


def _curve(key: str, ours: Columns, theirs: Columns) -> Curve | None:
    one, two = ours[key], theirs[key]
    if min(len(one), len(two)) < MIN_STEPS:
        return None
    steps = next((ours[step] for step in _STEP_NAMES if len(ours.get(step, ())) == len(one)), [])
    where = tuple(value for value in steps if value is not None)
    if len(where) != len(one):
        where = ()
    length = max(len(one), len(two))
    padded = [values + [None] * (length - len(values)) for values in (one, two)]
    parting = next((place for place in range(length) if not _same(padded[0][place], padded[1][place])), None)
    kept = _thinned(length, parting)
    return Curve(
        name=key,
        original=tuple(padded[0][place] for place in kept),
        replay=tuple(padded[1][place] for place in kept),
        steps=tuple(where[place] if place < len(where) else float(place) for place in kept),
        parting=None if parting is None else kept.index(parting),
    )


def _same(one: float | None, two: float | None) -> bool:
    if one is None or two is None:
        return one is two
    return one == two or (math.isnan(one) and math.isnan(two))


def _thinned(length: int, parting: int | None) -> list[int]:
    """Which points are drawn: evenly spread, the parting one among them."""
    stride = max(1, math.ceil(length / MAX_POINTS))
    kept = set(range(0, length, stride)) | {length - 1}
    return sorted(kept if parting is None else kept | {parting})


def _columns(path: Path, name: str) -> Columns:
    text = path.read_text(encoding="utf-8-sig")
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".tsv", ".tab"):
        return _of_table(text)
    if suffix in (".json", ".jsonl", ".ndjson", ".ipynb") or text[:1] in "{[":
        return _of_json(text)
    return _of_log(text)


def _of_table(text: str) -> Columns:
    separator = delimiter(text[:65536].encode())
    rows = csv.reader(text.splitlines(), delimiter=separator or ",")
    header = next(rows, [])
    columns: Columns = {title: [] for title in header if title}
    for row in rows:
        for title, cell in zip(header, row, strict=False):
            if title:
                columns[title].append(_number(cell))
    return {title: values for title, values in columns.items() if any(v is not None for v in values)}


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _of_json(text: str) -> Columns:
    columns: Columns = {}
    try:
        _lists(json.loads(text), "$", columns)
    except json.JSONDecodeError:
        records = [json.loads(line) for line in text.splitlines() if line.strip()]
        _records((record for record in records if isinstance(record, dict)), "", columns)
    return columns


def _lists(value: Any, where: str, columns: Columns) -> None:
    """Every list of numbers, and every list of objects that hold numbers, by its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            _lists(item, f"{where}.{key}", columns)
    elif isinstance(value, list) and value:
        if all(_is_real(item) for item in value):
            columns[where] = [float(item) for item in value]
        elif all(isinstance(item, dict) for item in value):
            _records(value, f"{where}[*].", columns)


def _records(records: Iterable[dict[str, Any]], prefix: str, columns: Columns) -> None:
    for record in records:
        for key, value in record.items():
            if _is_real(value):
                columns.setdefault(prefix + key, []).append(float(value))


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _of_log(text: str) -> Columns:
    columns: Columns = {}
    for line in text.splitlines():
        for key, value in _LOG_PAIR.findall(line[:2000]):
            columns.setdefault(key, []).append(_number(value))
    return columns

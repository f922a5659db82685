"""Metrics in TensorBoard's event files: the last value of each scalar."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from envfreeze.compare import NotThisKind, Sample
from envfreeze.compare._tensorflow import dimensions
from envfreeze.compare._tree import Blob, Number, Object, Single, Value
from envfreeze.compare.events import events
from envfreeze.metrics import NotFound, Reader
from envfreeze.metrics._not_results import is_result
from envfreeze.metrics._selector import Key, Step, quoted, text_of

_MAX_EVENTS = 5_000_000
_FIELDS = ("float", "double", "int", "int64")
"""Of a ``TensorProto``, where a scalar may lie (tensorflow/core/framework/tensor.proto)."""
_PACKED = {"1": "<f", "2": "<d", "3": "<i", "9": "<q"}
"""By ``DataType`` (types.proto), how its elements lie in ``tensor_content``."""


def recognises(sample: Sample) -> bool:
    """The name that TensorBoard's writers give: ``events.out.tfevents.<time>…``."""
    return "tfevents" in sample.path.name or b"brain.Event:" in sample.head[:64]


def found(path: Path) -> Iterator[tuple[str, float]]:
    """The last value of each scalar."""
    for tag, value in sorted(_last(path).items()):
        if is_result(tag):
            yield quoted(tag), value


def look_up(path: Path, steps: tuple[Step, ...]) -> float:
    """The last value of the tag."""
    tag = ".".join(step.name for step in steps if isinstance(step, Key))
    values = _last(path)
    if tag not in values:
        raise NotFound(f"there is no scalar {text_of(steps)}; there are {', '.join(sorted(values)[:8])}")
    return values[tag]


def _last(path: Path) -> dict[str, float]:
    values: dict[str, float] = {}
    try:
        for event in islice(events(path), _MAX_EVENTS):
            summary = event.parts.get("summary")
            items = summary.parts.get("value", []) if isinstance(summary, Object) else []
            for item in items if isinstance(items, list) else [items]:
                value = _scalar(item.parts) if isinstance(item, Object) else None
                if value is not None:
                    values[str(item.parts.get("tag", ""))] = value
    except NotThisKind as error:
        raise NotFound(f"it is no event file: {error}") from None
    return values


def _scalar(item: dict[str, Value]) -> float | None:
    if isinstance(item.get("simple_value"), Number):
        return _float(item["simple_value"])
    tensor = item.get("tensor")
    if not isinstance(tensor, Object) or dimensions(tensor.parts.get("shape")) != []:
        return None
    for name in _FIELDS:
        values = tensor.parts.get(name)
        if isinstance(values, list) and len(values) == 1:
            return _float(values[0])
    content, code = tensor.parts.get("content"), _PACKED.get(getattr(tensor.parts.get("dtype"), "text", ""))
    if isinstance(content, Blob) and code and len(content.data) == struct.calcsize(code):
        return float(struct.unpack(code, content.data)[0])
    return None


def _float(number: Number) -> float:
    """A number of 4 bytes as the float64 of the same value."""
    value = float(number.text)
    return float(struct.unpack("<f", struct.pack("<f", value))[0]) if isinstance(number, Single) else value


READER = Reader(name="tensorboard", priority=40, recognises=recognises, found=found, look_up=look_up)

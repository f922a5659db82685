"""Metrics in TensorBoard's event files, read by its library where that is installed: the last of each tag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envfreeze.compare import Sample
from envfreeze.metrics import NotFound, Reader
from envfreeze.metrics._not_results import is_result
from envfreeze.metrics._selector import Key, Step, quoted, text_of

_MAX_EVENTS = 5_000_000


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
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError:
        raise NotFound("tensorboard is not installed here, which reads event files") from None
    values: dict[str, float] = {}
    try:
        for count, event in enumerate(EventFileLoader(str(path)).Load()):
            if count > _MAX_EVENTS:
                break
            for item in event.summary.value:
                value = _scalar(item, make_ndarray)
                if value is not None:
                    values[item.tag] = value
    except Exception as error:
        raise NotFound(f"it is no event file: {type(error).__name__}") from None
    return values


def _scalar(item: Any, make_ndarray: Any) -> float | None:
    kind = item.WhichOneof("value")
    if kind == "simple_value":
        return float(item.simple_value)
    if kind == "tensor" and not item.tensor.tensor_shape.dim:
        array = make_ndarray(item.tensor)
        return float(array) if array.dtype.kind in "fiu" else None
    return None


READER = Reader(name="tensorboard", priority=40, recognises=recognises, found=found, look_up=look_up)

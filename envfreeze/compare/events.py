"""Event files of TensorBoard, step by step; the time at which a step was written is no result.

Records (``_tfrecord``) that each hold an ``Event``
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from envfreeze.compare import Comparator, Finding, Options, Sample
from envfreeze.compare import _tensorflow as tensorflow
from envfreeze.compare._protobuf import Message, parse
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally
from envfreeze.compare._tfrecord import records
from envfreeze.compare._tree import Number, Object, Value, add_trees

_MESSAGES = tensorflow.MESSAGES | {
    message.name: message
    for message in (
        Message(
            "event",
            {
                1: ("wall_time", "double"),
                2: ("step", "int"),
                3: ("file_version", "text"),
                5: ("summary", "summary"),
                6: ("log_message", "bytes"),
                7: ("session_log", "bytes"),
            },
        ),
        Message("summary", {1: ("value", "value")}),
        Message(
            "value",
            {
                1: ("tag", "text"),
                2: ("simple_value", "float"),
                4: ("image", "image"),
                5: ("histogram", "histogram"),
                7: ("node_name", "text"),
                8: ("tensor", "tensor"),
                9: ("metadata", "bytes"),
            },
        ),
        Message(
            "image",
            {1: ("height", "int"), 2: ("width", "int"), 3: ("colorspace", "int"), 4: ("png", "bytes")},
        ),
        Message(
            "histogram",
            {
                1: ("min", "double"),
                2: ("max", "double"),
                3: ("num", "double"),
                4: ("sum", "double"),
                5: ("sum_squares", "double"),
                6: ("bucket_limit", "doubles"),
                7: ("bucket", "doubles"),
            },
        ),
    )
}


def recognises(sample: Sample) -> bool:
    """A first record that says ``brain.Event:`` and a version."""
    return b"brain.Event:" in sample.head[12:80]


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """In the order of the records.

    Raises:
        NotThisKind: a record is damaged.
    """
    tally = Tally(options)
    for number, (one, two) in enumerate(zip_longest(_events(original), _events(replay)), 1):
        if one is None or two is None:
            note = ONLY_ORIGINAL if two is None else ONLY_REPLAY
            tally.differ(f"record {number}", "a record" if one else "", "a record" if two else "", note)
            continue
        if one.pop("wall_time") != two.pop("wall_time"):
            tally.aside("time of an event")
        same = one.get("step") == two.get("step")
        step = f"step {one['step'].text}" if same else ""
        add_trees(one, two, tally, root="$" if step else f"record {number}", step=step)
    return tally.finding("the same events; their encoding differs")


def events(path: Path) -> Iterator[Object]:
    """Each event with the fields of its message.

    Raises:
        NotThisKind: a record is damaged, or none.
    """
    return (parse(data, "event", _MESSAGES) for data in records(path))


def _events(path: Path) -> Iterator[dict[str, Value]]:
    """Each event: its time, its step, and its values by their tags."""
    return (_named(event) for event in events(path))


def _named(event: Object) -> dict[str, Value]:
    parts = {"wall_time": None, "step": Number("0"), **event.parts}
    summary = parts.pop("summary", None)
    if isinstance(summary, Object):
        values = summary.parts.pop("value", [])
        for value in values if isinstance(values, list) else [values]:
            tag = str(value.parts.pop("tag", ""))
            while tag in parts:
                tag += "'"
            if isinstance(value.parts.get("tensor"), Object):
                tensorflow.with_array(value.parts["tensor"])
            only = set(value.parts) == {"simple_value"}
            parts[tag] = value.parts["simple_value"] if only else value
        if summary.parts:
            parts["summary"] = summary
    return parts


COMPARATOR = Comparator(name="events", priority=84, recognises=recognises, compare=compare, isolated=True)

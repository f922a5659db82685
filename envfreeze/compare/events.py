"""Event files of TensorBoard, step by step; the time at which a step was written is no result.

Records as TensorFlow writes them (https://www.tensorflow.org/tutorials/load_data/tfrecord): a length, its
checksum, the data, its checksum; the data is an ``Event``
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._protobuf import Message, parse
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally
from envfreeze.compare._tree import Number, Object, Value, add_trees

MAX_RECORD = 64 << 20
_MESSAGES = {
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
        Message(
            "tensor",
            {
                1: ("dtype", "int"),
                2: ("shape", "bytes"),
                4: ("content", "bytes"),
                5: ("half", "ints"),
                6: ("float", "floats"),
                7: ("double", "doubles"),
                8: ("int", "ints"),
                9: ("string", "bytes"),
                10: ("int64", "ints"),
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


def _events(path: Path) -> Iterator[dict[str, Value]]:
    """Each event: its time, its step, and its values by their tags."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while header := file.read(12):
            if len(header) < 12:
                raise NotThisKind("it is cut off")
            length, check = struct.unpack("<QI", header)
            if check != masked_crc(header[:8]):
                raise NotThisKind("a record has a wrong checksum")
            if length > min(MAX_RECORD, size - file.tell()):
                raise NotThisKind("a record is longer than it can be")
            data, end = file.read(length), file.read(4)
            if len(end) < 4 or struct.unpack("<I", end)[0] != masked_crc(data):
                raise NotThisKind("a record has a wrong checksum")
            yield _named(parse(data, "event", _MESSAGES))


def _named(event: Object) -> dict[str, Value]:
    parts = {"wall_time": None, "step": Number("0"), **event.parts}
    summary = parts.pop("summary", None)
    if isinstance(summary, Object):
        values = summary.parts.pop("value", [])
        for value in values if isinstance(values, list) else [values]:
            tag = str(value.parts.pop("tag", ""))
            while tag in parts:
                tag += "'"
            only = set(value.parts) == {"simple_value"}
            parts[tag] = value.parts["simple_value"] if only else value
        if summary.parts:
            parts["summary"] = summary
    return parts


def _table() -> tuple[int, ...]:
    """CRC-32C (RFC 3720, appendix B.4), byte by byte."""
    result = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        result.append(byte)
    return tuple(result)


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """The checksum as TensorFlow keeps it: turned by 15 bits, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


COMPARATOR = Comparator(name="events", priority=84, recognises=recognises, compare=compare, isolated=True)

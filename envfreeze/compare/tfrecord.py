"""TFRecord files, record by record; a record that is an ``Example`` feature by feature.

Schema: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/example/example.proto and
``feature.proto`` beside it. Features are a map, whose order in the file is no result. Records that are no
``Example`` are compared as files of their kind would be.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._protobuf import Message, mapped, parse
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally
from envfreeze.compare._tfrecord import records, starts
from envfreeze.compare._tree import Blob, Object, Value, add_trees

_MESSAGES = {
    message.name: message
    for message in (
        Message("example", {1: ("features", "features"), 2: ("feature_lists", "feature lists")}),
        Message("features", {1: ("feature", "entry")}),
        Message("entry", {1: ("key", "text"), 2: ("value", "feature")}),
        Message("feature lists", {1: ("feature_list", "list entry")}),
        Message("list entry", {1: ("key", "text"), 2: ("value", "feature list")}),
        Message("feature list", {1: ("feature", "feature")}),
        Message(
            "feature", {1: ("bytes", "bytes list"), 2: ("floats", "floats list"), 3: ("ints", "ints list")}
        ),
        Message("bytes list", {1: ("value", "bytes")}),
        Message("floats list", {1: ("value", "floats")}),
        Message("ints list", {1: ("value", "ints")}),
    )
}
"""``SequenceExample`` is read by the same words: its context has the field number of ``Example.features``."""


def recognises(sample: Sample) -> bool:
    """A length that the file has room for, with its checksum."""
    return starts(sample.head, sample.size)


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """In the order of the records.

    Raises:
        NotThisKind: a record is damaged.
    """
    tally = Tally(options)
    for number, (one, two) in enumerate(zip_longest(records(original), records(replay)), 1):
        where = f"record {number}"
        if one is None or two is None:
            sides = ["" if side is None else f"{len(side)} bytes" for side in (one, two)]
            tally.differ(where, sides[0], sides[1], ONLY_ORIGINAL if two is None else ONLY_REPLAY)
        elif one != two:
            add_trees(_record(one), _record(two), tally, root=where, in_data=True)
    return tally.finding("the same records; their encoding differs")


def _record(data: bytes) -> Value:
    """The features by their names; all of the data where it is no ``Example``."""
    try:
        example = parse(data, "example", _MESSAGES)
        known = {name: part for name, part in example.parts.items() if name in ("features", "feature_lists")}
        if set(known) != set(example.parts) or not all(isinstance(part, Object) for part in known.values()):
            return Blob(data)
        return {name: _features(part) for name, part in known.items()}
    except NotThisKind:
        return Blob(data)


def _features(holder: Object) -> Value:
    (field,) = holder.parts or ("",)
    return mapped(holder.parts[field]) if field in ("feature", "feature_list") else holder


COMPARATOR = Comparator(name="tfrecord", priority=81, recognises=recognises, compare=compare, isolated=True)

"""Checkpoints of TensorFlow, variable by variable, and so the variables of a SavedModel; without TensorFlow.

A checkpoint is an index, ``NAME.index`` (``_sstable``), whose values are ``BundleEntryProto``, and the shards
with the elements, ``NAME.data-00000-of-00001``
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/tensor_bundle.proto). In which
shard and where in it a variable lies is no result.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, not_a_file
from envfreeze.compare import _tensorflow as tensorflow
from envfreeze.compare._limits import IN_MEMORY, whole
from envfreeze.compare._protobuf import Message, parse, varint
from envfreeze.compare._sstable import entries
from envfreeze.compare._tally import Tally
from envfreeze.compare._tensors import TYPES, map_bytes
from envfreeze.compare._trackable import by_ways
from envfreeze.compare._tree import Blob, Number, Object, Value, add_trees

_SHARD = re.compile(r"(?s:(.+))\.data-([0-9]{5})-of-([0-9]{5})")
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_MESSAGES = tensorflow.MESSAGES | {
    message.name: message
    for message in (
        Message("header", {1: ("num_shards", "int"), 2: ("endianness", "int"), 3: ("version", "bytes")}),
        Message(
            "entry",
            {
                1: ("dtype", "int"),
                2: ("shape", "shape"),
                3: ("shard", "int"),
                4: ("offset", "int"),
                5: ("size", "int"),
                6: ("crc32c", "int"),
                7: ("slices", "bytes"),
            },
        ),
        Message("objects", {1: ("nodes", "object")}),
        Message(
            "object",
            {1: ("children", "child"), 2: ("attributes", "attribute"), 3: ("slot_variables", "slot")},
        ),
        Message("child", {1: ("node_id", "int"), 2: ("local_name", "text")}),
        Message("attribute", {1: ("name", "text"), 2: ("full_name", "text"), 3: ("checkpoint_key", "text")}),
        Message(
            "slot",
            {1: ("variable_node_id", "int"), 2: ("slot_name", "text"), 3: ("slot_node_id", "int")},
        ),
    )
}
"""``objects`` is ``TrackableObjectGraph`` of ``trackable_object_graph.proto``."""


class _Variable(NamedTuple):
    value: Value
    raw: Any
    check: str
    """The checksum that the index gives."""


class _Checkpoint(NamedTuple):
    variables: dict[str, _Variable]
    header: Value
    asides: dict[str, str]


def stores(names: Collection[str]) -> Mapping[str, Collection[str]]:
    """An index and its shards, by the name that they share."""
    found: dict[str, list[str]] = {}
    for name in names:
        if ".data-" in name and (match := _SHARD.fullmatch(name)):
            found.setdefault(match[1], []).append(name)
    return {root: [f"{root}.index", *shards] for root, shards in found.items() if f"{root}.index" in names}


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value.

    Raises:
        NotThisKind: damaged, cut off, or numpy is not installed.
    """
    one, two = _load(original), _load(replay)
    tally = Tally(options)
    add_trees(one.header, two.header, tally, root="header")
    for name in one.asides:
        if one.asides[name] != two.asides[name]:
            tally.aside(name)
    trees = [{name: found.value for name, found in side.variables.items()} for side in (one, two)]
    add_trees(trees[0], trees[1], tally, root="$")
    for name, found in one.variables.items():
        _check(name, found, two.variables.get(name), tally)
    return tally.finding("the same variables; their places in the files differ")


def _check(name: str, one: _Variable, two: _Variable | None, tally: Tally) -> None:
    """The same bytes have the same checksum and others another, unless a file is damaged."""
    if two is None or len(one.raw) != len(two.raw):
        return
    import numpy

    if numpy.array_equal(one.raw, two.raw) != (one.check == two.check):
        tally.differ(name, one.check, two.check, "checksum does not fit")


def _load(folder: Path) -> _Checkpoint:
    files = {path.name: path for path in folder.iterdir()}
    index = next((path for name, path in files.items() if name.endswith(".index")), None)
    if index is None:
        raise NotThisKind("it has no index")
    shards = {
        int(match[2]): path for name, path in files.items() if (match := _SHARD.fullmatch(name)) is not None
    }
    found = {key.decode("utf-8", "backslashreplace"): value for key, value in entries(whole(index))}
    header = parse(found.pop("", b""), "header", _MESSAGES)
    count = int(_number(header, "num_shards"))
    if count != len(shards) or set(shards) != set(range(count)):
        raise NotThisKind(f"its index speaks of {count} shards, and there are {len(shards)}")
    order = ">" if _number(header, "endianness") else "<"
    asides = {"shards": str(header.parts.pop("num_shards", "")), "places in the files": ""}
    variables, ends = {}, dict.fromkeys(shards, 0)
    for name, value in found.items():
        entry = parse(value, "entry", _MESSAGES)
        shard, offset, size = (int(_number(entry, part)) for part in ("shard", "offset", "size"))
        asides["places in the files"] += f"{shard}:{offset} "
        if shard not in shards or min(offset, size) < 0:
            raise NotThisKind("a variable lies outside of its shard")
        ends[shard] = max(ends[shard], offset + size)
        variables[name] = _variable(name, entry, map_bytes(shards[shard], offset, size), order)
    if any(shards[shard].stat().st_size != end for shard, end in ends.items()):
        raise NotThisKind("a shard is longer or shorter than its index says")
    return _Checkpoint(variables, header, asides)


def _number(message: Object, field: str) -> int:
    value = message.parts.get(field, Number("0"))
    if not isinstance(value, Number):
        raise NotThisKind("a damaged index")
    return int(value.text)


def _variable(name: str, entry: Object, raw: Any, order: str) -> _Variable:
    parts = entry.parts
    kind = tensorflow.NAMES.get(str(_number(entry, "dtype")), "")
    shape = tensorflow.dimensions(parts.get("shape"))
    check = parts.get("crc32c")
    told = {key: part for key, part in parts.items() if key not in ("shard", "offset", "size", "crc32c")}
    if "slices" in parts or shape is None:
        held: Value = _as_blob(raw)  # the slices are entries of their own
    elif kind == "string":
        texts = _texts(raw.tobytes() if len(raw) <= IN_MEMORY else b"", shape, order)
        held = [_objects(text) if name == _GRAPH else Blob(text) for text in texts]
    elif kind in TYPES:
        held = tensorflow.array(raw, kind, shape, order)
    else:
        held = _as_blob(raw)
    value = Object("variable", {**told, "": held, "shape": str(shape)})
    return _Variable(value, raw, check.data.hex() if isinstance(check, Blob) else "")


def _as_blob(raw: Any) -> Blob:
    if len(raw) > IN_MEMORY:
        raise NotThisKind("a variable of a type that is not known")
    return Blob(raw.tobytes())


def _texts(data: bytes, shape: list[int], order: str) -> list[bytes]:
    """``WriteStringTensor`` of ``tensor_bundle.cc``: the lengths, their checksum, and the texts."""
    count, place, lengths = 1, 0, []
    for length in shape:
        count *= length
    if count > len(data):
        raise NotThisKind("a variable of texts that is cut off")
    for _ in range(count):
        length, place = varint(data, place)
        lengths.append(length)
    place += 4
    if place + sum(lengths) != len(data):
        raise NotThisKind("a variable of texts that is cut off")
    texts = []
    for length in lengths:
        texts.append(data[place : place + length])
        place += length
    return texts


def _objects(data: bytes) -> Value:
    """The graph of objects that restores the variables; as bytes where it is none."""
    try:
        graph = parse(data, "objects", _MESSAGES)
        graph.parts["nodes"] = by_ways(graph.parts.get("nodes"))[0]
        return graph
    except NotThisKind:
        return Blob(data)


COMPARATOR = Comparator(
    name="checkpoint", priority=95, recognises=not_a_file, compare=compare, isolated=True, stores=stores
)

"""ONNX models, node by node and tensor by tensor (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto)."""

from __future__ import annotations

import math
from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import missing, whole
from envfreeze.compare._protobuf import Message, parse
from envfreeze.compare._tally import Tally
from envfreeze.compare._tensors import TYPES
from envfreeze.compare._tree import Array, Blob, Object, Value, add_trees

_MESSAGES = {
    message.name: message
    for message in (
        Message(
            "model",
            {
                1: ("ir_version", "int"),
                2: ("producer_name", "text"),
                3: ("producer_version", "text"),
                4: ("domain", "text"),
                5: ("model_version", "int"),
                6: ("doc_string", "text"),
                7: ("graph", "graph"),
                8: ("opset_import", "bytes"),
                14: ("metadata_props", "entry"),
            },
        ),
        Message(
            "graph",
            {
                1: ("node", "node"),
                2: ("name", "text"),
                5: ("initializer", "tensor"),
                10: ("doc_string", "text"),
                11: ("input", "value"),
                12: ("output", "value"),
                13: ("value_info", "value"),
            },
        ),
        Message("value", {1: ("name", "text"), 2: ("type", "bytes"), 3: ("doc_string", "text")}),
        Message("entry", {1: ("key", "text"), 2: ("value", "text")}),
        Message(
            "node",
            {
                1: ("input", "text"),
                2: ("output", "text"),
                3: ("name", "text"),
                4: ("op_type", "text"),
                5: ("attribute", "attribute"),
                7: ("domain", "text"),
            },
        ),
        Message(
            "attribute",
            {
                1: ("name", "text"),
                2: ("f", "float"),
                3: ("i", "int"),
                4: ("s", "text"),
                5: ("t", "tensor"),
                6: ("g", "graph"),
                7: ("floats", "floats"),
                8: ("ints", "ints"),
                9: ("strings", "text"),
                10: ("tensors", "tensor"),
                11: ("graphs", "graph"),
                20: ("type", "int"),
            },
        ),
        Message(
            "tensor",
            {
                1: ("dims", "ints"),
                2: ("data_type", "int"),
                4: ("float_data", "floats"),
                5: ("int32_data", "ints"),
                7: ("int64_data", "ints"),
                8: ("name", "text"),
                9: ("raw_data", "bytes"),
                10: ("double_data", "doubles"),
                11: ("uint64_data", "ints"),
                12: ("doc_string", "text"),
            },
        ),
    )
}
_TYPES = {
    "1": "float32", "2": "uint8", "3": "int8", "4": "uint16", "5": "int16", "6": "int32", "7": "int64",
    "9": "bool", "10": "float16", "11": "float64", "12": "uint32", "13": "uint64", "16": "bfloat16",
    "17": "float8_e4m3fn", "19": "float8_e5m2",
}  # fmt: skip
"""``TensorProto.DataType``."""


def recognises(sample: Sample) -> bool:
    """A message that starts with a small ``ir_version`` and then a text or the graph."""
    head = sample.head
    return len(head) > 8 and head[0] == 0x08 and head[1] < 32 and head[2] in (0x12, 0x1A, 0x3A, 0x42)


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value; the order of initializers is no result.

    Raises:
        NotThisKind: it is none, or the tensors lie in other files.
    """
    tally = Tally(options)
    add_trees(_load(original), _load(replay), tally, root="$")
    return tally.finding("the same graph and tensors; their encoding differs")


def _load(path: Path) -> Value:
    model = parse(whole(path), "model", _MESSAGES)
    graph = model.parts.get("graph")
    if not isinstance(graph, Object):
        raise NotThisKind("it has no graph")
    pending: list[Value] = [model]
    while pending:
        value = pending.pop()
        parts = value.parts if isinstance(value, Object) else value
        for key, part in list(parts.items() if isinstance(parts, dict) else enumerate(parts)):
            if isinstance(part, Object) and part.kind == "tensor":
                _tensor(part)
            elif isinstance(part, Object | list):
                pending.append(part)
            if key == "initializer":
                parts[key] = _named(part)
    return model


def _named(value: Value) -> Value:
    tensors = value if isinstance(value, list) else [value]
    names = [tensor.parts.get("name", "") for tensor in tensors]
    for tensor in tensors:
        _tensor(tensor)
    return dict(zip(names, tensors, strict=True)) if len(set(names)) == len(names) else value


def _tensor(tensor: Object) -> None:
    """Put the array in the place of the bytes."""
    parts = tensor.parts
    raw, kind = parts.get("raw_data"), _TYPES.get(getattr(parts.get("data_type"), "text", ""))
    if "field 13" in parts:
        raise NotThisKind("its tensors lie in other files")
    if not isinstance(raw, Blob) or kind is None:
        return
    try:
        import numpy
    except ImportError:
        raise missing("numpy") from None
    shape = [int(number.text) for number in parts.get("dims", [])]
    found = TYPES[kind]
    if min([0, *shape]) < 0 or math.prod(shape) * found.size != len(raw.data):
        raise NotThisKind("a tensor whose bytes do not fit its shape")
    values = numpy.frombuffer(raw.data, found.code if found.size == 1 else "<" + found.code)
    parts[""] = Array(values.reshape(shape), found.encoding)
    del parts["raw_data"]


COMPARATOR = Comparator(name="onnx", priority=30, recognises=recognises, compare=compare, isolated=True)

"""What TensorFlow's messages share: element types, shapes and tensors
(https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/framework: ``types.proto``,
``tensor_shape.proto``, ``tensor.proto``)."""

from __future__ import annotations

import math
from typing import Any

from envfreeze.compare import NotThisKind
from envfreeze.compare._limits import missing
from envfreeze.compare._protobuf import Message
from envfreeze.compare._tensors import TYPES
from envfreeze.compare._tree import Array, Blob, Number, Object, Value

NAMES = {
    "1": "float32", "2": "float64", "3": "int32", "4": "uint8", "5": "int16", "6": "int8", "7": "string",
    "8": "complex64", "9": "int64", "10": "bool", "14": "bfloat16", "17": "uint16", "18": "complex128",
    "19": "float16", "22": "uint32", "23": "uint64", "24": "float8_e5m2", "25": "float8_e4m3fn",
}  # fmt: skip
"""``DataType``, but for quantised types and handles."""
MESSAGES = {
    message.name: message
    for message in (
        Message("shape", {2: ("dim", "dim"), 3: ("unknown_rank", "int")}),
        Message("dim", {1: ("size", "int"), 2: ("name", "text")}),
        Message(
            "tensor",
            {
                1: ("dtype", "int"),
                2: ("shape", "shape"),
                4: ("content", "bytes"),
                5: ("float", "floats"),
                6: ("double", "doubles"),
                7: ("int", "ints"),
                8: ("string", "bytes"),
                9: ("complex", "floats"),
                10: ("int64", "ints"),
                11: ("bool", "ints"),
                12: ("complex128", "doubles"),
                13: ("half", "ints"),
                16: ("uint32", "ints"),
                17: ("uint64", "ints"),
            },
        ),
    )
}
_MAX_AXES = 254
"""``TensorShape::MaxDimensions``."""


def dimensions(shape: Value) -> list[int] | None:
    """The lengths of the axes of a ``TensorShapeProto``; None where one is not known."""
    if shape is None:
        return []
    if not isinstance(shape, Object):
        return None
    if set(shape.parts) - {"dim"}:
        return None
    dims = shape.parts.get("dim", [])
    lengths: list[int] = []
    for dim in dims if isinstance(dims, list) else [dims]:
        size = dim.parts.get("size", Number("0")) if isinstance(dim, Object) else None
        if not isinstance(size, Number) or int(size.text) < 0 or len(lengths) >= _MAX_AXES:
            return None
        lengths.append(int(size.text))
    return lengths


def array(raw: Any, kind: str, shape: list[int], order: str = "<") -> Array:
    """Bytes (or a mapped part of a file) as an array of a type named as in ``NAMES``.

    Raises:
        NotThisKind: the type has no elements of one size, or the bytes do not fit the shape.
    """
    try:
        import numpy
    except ImportError:
        raise missing("numpy") from None
    found = TYPES.get(kind)
    if found is None:
        raise NotThisKind(f"a tensor of the type {kind[:40]}")
    if min([0, *shape]) < 0 or len(shape) > 32 or math.prod(shape) * found.size != len(raw):
        raise NotThisKind("a tensor whose bytes do not fit its shape")
    values = numpy.frombuffer(raw, found.code if found.size == 1 else order + found.code)
    return Array(values.reshape(shape), found.encoding)


def with_array(tensor: Object) -> None:
    """Put the array in the place of ``content``, where the type has elements of one size."""
    content, shape = tensor.parts.get("content"), dimensions(tensor.parts.get("shape"))
    kind = NAMES.get(getattr(tensor.parts.get("dtype"), "text", ""), "")
    if isinstance(content, Blob) and content.data and kind in TYPES and shape is not None:
        tensor.parts["content"] = array(content.data, kind, shape)

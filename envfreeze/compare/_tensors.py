"""Tensors as views into storages, as torch and safetensors keep them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from envfreeze.compare import NotThisKind
from envfreeze.compare._floats import BF16, F8_E4M3, F8_E5M2, Encoding
from envfreeze.compare._limits import missing
from envfreeze.compare._tree import Array

MAX_EXPANDED = 1 << 24
"""Elements of a tensor that stands for more than its storage holds (a stride of 0)."""


class Type(NamedTuple):
    """An element: numpy's code for its bits, its size in bytes, and how numpy's bits are to be read."""

    code: str
    size: int
    encoding: Encoding | None = None


_BY_NAME = {
    "float64 double DoubleStorage F64": Type("f8", 8),
    "float32 float FloatStorage F32": Type("f4", 4),
    "float16 half HalfStorage F16": Type("f2", 2),
    "bfloat16 BFloat16Storage BF16": Type("u2", 2, BF16),
    "float8_e4m3fn Float8_e4m3fnStorage F8_E4M3": Type("u1", 1, F8_E4M3),
    "float8_e5m2 Float8_e5m2Storage F8_E5M2": Type("u1", 1, F8_E5M2),
    "int64 long LongStorage I64": Type("i8", 8),
    "int32 int IntStorage I32": Type("i4", 4),
    "int16 short ShortStorage I16": Type("i2", 2),
    "int8 CharStorage I8": Type("i1", 1),
    "uint8 ByteStorage UntypedStorage U8 F8_E8M0": Type("u1", 1),
    "uint16 UInt16Storage U16": Type("u2", 2),
    "uint32 UInt32Storage U32": Type("u4", 4),
    "uint64 UInt64Storage U64": Type("u8", 8),
    "bool BoolStorage BOOL": Type("u1", 1),
    "complex64 ComplexFloatStorage C64": Type("c8", 8),
    "complex128 ComplexDoubleStorage": Type("c16", 16),
}
TYPES = {name: kind for names, kind in _BY_NAME.items() for name in names.split()}
"""By the name of torch's type or storage, and by safetensors' name."""


class Storage:
    """Elements of one type in a row; filled when their bytes are found."""

    def __init__(self, kind: str, count: int) -> None:
        if kind not in TYPES:
            raise NotThisKind(f"it holds a storage of the type {kind[:40]}")
        self.kind, self.count = kind, count
        self.raw: Any = None
        self.order = "<"

    def fill(self, raw: Any, order: str) -> None:
        """Take the bytes, which have to be as many as the elements need."""
        if self.count < 0 or len(raw) != self.count * TYPES[self.kind].size:
            raise NotThisKind("a storage has another size than its tensors say")
        self.raw, self.order = raw, order


def tensor(storage: Storage, kind: str, offset: int, shape: list[int], stride: list[int]) -> Array:
    """The view of a storage that a tensor is.

    Raises:
        NotThisKind: it would reach outside of its storage.
    """
    import numpy

    if kind not in TYPES or storage.raw is None:
        raise NotThisKind(f"a tensor of the type {kind[:40]}")
    found = TYPES[kind]
    values = storage.raw.view(found.code if found.size == 1 else storage.order + found.code)
    negative = any(part < 0 for part in [offset, *shape, *stride])
    if len(shape) != len(stride) or len(shape) > 32 or negative:
        raise NotThisKind("a tensor with a shape that cannot be")
    count = math.prod(shape)
    last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    if count and (last >= len(values) or count > max(len(values), MAX_EXPANDED)):
        raise NotThisKind("a tensor reaches outside of its storage")
    if not count:
        return Array(numpy.zeros(shape, values.dtype), found.encoding)
    strides = [step * found.size for step in stride]
    view = numpy.lib.stride_tricks.as_strided(values[offset:], shape, strides, writeable=False)
    return Array(view, found.encoding)


def as_bytes(data: bytes) -> Any:
    """A content in memory, as ``map_bytes`` gives it."""
    try:
        import numpy
    except ImportError:
        raise missing("numpy") from None
    return numpy.frombuffer(data, numpy.uint8)


def map_bytes(path: Path, start: int, size: int) -> Any:
    """Part of a file as bytes, mapped into memory.

    Raises:
        NotThisKind: the file is shorter, or numpy is missing.
    """
    try:
        import numpy
    except ImportError:
        raise missing("numpy") from None
    if start < 0 or size < 0 or start + size > path.stat().st_size:
        raise NotThisKind("it is shorter than it says")
    if size == 0:
        return numpy.zeros(0, numpy.uint8)
    return numpy.memmap(path, numpy.uint8, "r", start, (size,))

"""FlatBuffers at the level of the wire (https://flatbuffers.dev/internals), by a small schema."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from envfreeze.compare import NotThisKind
from envfreeze.compare._limits import budget, missing
from envfreeze.compare._tree import Array, Blob, Number, Object, Single, Value

MAX_DEPTH = 30
_TABLE_COST = 1 << 10
"""What a table counts for in the budget, as references may lead to one table many times."""
SCALARS = {"bool": "<?", "byte": "<b", "int": "<i", "uint": "<I", "float": "<f", "double": "<d"}
VECTORS = {"ints": "<i4", "uints": "<u4", "floats": "<f4", "doubles": "<f8"}


class Field(NamedTuple):
    """A field of a table.

    Its type is one of ``SCALARS`` or ``VECTORS``, ``text``, ``texts``, ``bytes``, the name of a table,
    ``[`` and ``]`` around one, ``struct N`` of N bytes, or ``structs CODE`` with a type of numpy.
    """

    name: str
    kind: str
    default: Any = 0


Schema = dict[str, tuple[Field, ...]]
"""The fields of each table in their order; a field of which no more than the number is known is a gap."""


class Reader:
    """A buffer as a tree of objects."""

    def __init__(self, data: bytes, schema: Schema) -> None:
        self.data, self.schema = data, schema

    def root(self, kind: str) -> Object:
        """The table at the start.

        Raises:
            NotThisKind: something lies outside of the buffer, is nested too deeply, or has fields that the
                schema does not know, which could not be compared.
        """
        return self._table(self._follow(0), kind, 0)

    def _number(self, code: str, place: int) -> Any:
        return struct.unpack(code, self._bytes(place, struct.calcsize(code)))[0]

    def _bytes(self, place: int, size: int) -> bytes:
        if place < 0 or size < 0 or place + size > len(self.data):
            raise NotThisKind("a reference leads outside of the buffer")
        return self.data[place : place + size]

    def _follow(self, place: int) -> int:
        return place + int(self._number("<I", place))

    def _table(self, place: int, kind: str, depth: int) -> Object:
        if depth > MAX_DEPTH:
            raise NotThisKind("nested too deeply")
        budget().spend(_TABLE_COST)
        fields = self.schema[kind]
        layout = place - int(self._number("<i", place))
        entries = (int(self._number("<H", layout)) - 4) // 2
        if entries < 0:
            raise NotThisKind("a table without a layout")
        parts: dict[str, Value] = {}
        for index in range(max(entries, len(fields))):
            offset = int(self._number("<H", layout + 4 + 2 * index)) if index < entries else 0
            if index >= len(fields):
                if offset:
                    raise NotThisKind(f"a field that is not known ({kind} {index})")
                continue
            field = fields[index]
            at = place + offset if offset else None
            parts[field.name] = self._value(field, at, depth)
        return Object(kind, parts)

    def _value(self, field: Field, place: int | None, depth: int) -> Value:
        kind = field.kind
        if kind in SCALARS:
            value = field.default if place is None else self._number(SCALARS[kind], place)
            return Single(f"{value:.9g}") if kind == "float" else Number(repr(value + 0))
        if place is None:
            return None
        if kind.startswith("struct "):
            return Blob(self._bytes(place, int(kind[7:])))
        place = self._follow(place)
        if kind in self.schema:
            return self._table(place, kind, depth + 1)
        return self._vector(kind, place, depth)

    def _vector(self, kind: str, place: int, depth: int) -> Value:
        count, start = int(self._number("<I", place)), place + 4
        if kind == "text":
            return self._bytes(start, count).decode("utf-8", "backslashreplace")
        if kind == "bytes":
            return Blob(self._bytes(start, count))
        if kind in VECTORS or kind.startswith("structs "):
            return self._numbers(VECTORS.get(kind) or kind[8:], count, start)
        self._bytes(start, 4 * count)  # before as many are looked at
        places = [self._follow(start + 4 * index) for index in range(count)]
        if kind == "texts":
            return [self._vector("text", found, depth) for found in places]
        return [self._table(found, kind[1:-1], depth + 1) for found in places]

    def _numbers(self, code: str, count: int, start: int) -> Value:
        try:
            import numpy
        except ImportError:
            raise missing("numpy") from None
        dtype = numpy.dtype(code)
        return Array(numpy.frombuffer(self._bytes(start, count * dtype.itemsize), dtype))

"""Protocol buffers at the level of the wire (https://protobuf.dev/programming-guides/encoding), by a
small schema."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from envfreeze.compare import NotThisKind
from envfreeze.compare._tree import Blob, Number, Object, Single, Value

MAX_DEPTH = 60
"""Messages inside messages; protobuf's own readers stop at 100."""


class Message(NamedTuple):
    """What the fields of a message are called and hold.

    A field's type is a ``Message`` (or its name, looked up in ``messages``), or one of ``int``, ``float``,
    ``double``, ``text``, ``bytes``, and, for numbers that may be packed, ``ints``, ``floats``, ``doubles``.
    """

    name: str
    fields: dict[int, tuple[str, str]]


def parse(data: bytes, kind: str, messages: dict[str, Message], depth: int = 0) -> Object:
    """The message as an object: a field by its name, with a list when it comes more than once.

    Fields that the schema does not know are kept as bytes under ``field N``, so that nothing is overlooked.

    Raises:
        NotThisKind: it is no message, or nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise NotThisKind(f"messages nested deeper than {MAX_DEPTH}")
    message = messages[kind]
    parts: dict[str, list[Value]] = {}
    position = 0
    while position < len(data):
        key, position = varint(data, position)
        number, wire = key >> 3, key & 7
        name, expected = message.fields.get(number, (f"field {number}", ""))
        raw, position = _raw(data, position, wire)
        parts.setdefault(name, []).extend(_values(raw, wire, expected, messages, depth))
    return Object(message.name, {name: _single(name, found, message) for name, found in parts.items()})


def _single(name: str, values: list[Value], message: Message) -> Value:
    kinds = dict(message.fields.values())
    many = kinds.get(name, "") in ("ints", "floats", "doubles") or len(values) > 1
    return values if many else values[0] if values else []


def mapped(entries: Value) -> Value:
    """The field of a map, whose entries come in any order, by key; as it is where a key comes twice or an
    entry holds more than ``key`` and ``value``."""
    found: dict[str, Value] = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entry, Object) or not set(entry.parts) <= {"key", "value"}:
            return entries
        key = entry.parts.get("key", "")
        if not isinstance(key, str | Number) or str(key) in found:
            return entries
        found[key.text if isinstance(key, Number) else key] = entry.parts.get("value")
    return found


def varint(data: bytes, position: int) -> tuple[int, int]:
    """A number of up to 64 bits, and the position behind it."""
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise NotThisKind("no protocol buffer (a number has no end)")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value & (1 << 64) - 1, position


def _raw(data: bytes, position: int, wire: int) -> tuple[Any, int]:
    if wire == 0:
        return varint(data, position)
    if wire == 2:
        length, position = varint(data, position)
    elif wire in (1, 5):
        length = 8 if wire == 1 else 4
    else:
        raise NotThisKind(f"no protocol buffer (wire type {wire})")
    if position + length > len(data):
        raise NotThisKind("no protocol buffer (it is cut off)")
    return data[position : position + length], position + length


_PACKED = {"floats": "f", "doubles": "d"}
_FIXED = {("float", 5): "f", ("double", 1): "d", ("floats", 5): "f", ("doubles", 1): "d"}


def _values(raw: Any, wire: int, expected: str, messages: dict[str, Message], depth: int) -> list[Value]:
    if wire == 0:
        signed = raw - (1 << 64) if raw >> 63 else raw
        return [Number(str(signed))]
    if (expected, wire) in _FIXED:
        return [_float(raw, _FIXED[expected, wire])]
    if wire == 2 and expected in _PACKED:
        code = _PACKED[expected]
        size = struct.calcsize(code)
        if len(raw) % size:
            raise NotThisKind("no protocol buffer (packed numbers are cut off)")
        return [_float(raw[place : place + size], code) for place in range(0, len(raw), size)]
    if wire == 2 and expected == "ints":
        values, position = [], 0
        while position < len(raw):
            value, position = varint(raw, position)
            values.append(Number(str(value - (1 << 64) if value >> 63 else value)))
        return values
    if wire == 2 and expected in messages:
        return [parse(raw, expected, messages, depth + 1)]
    if wire == 2 and expected == "text":
        return [raw.decode("utf-8", "backslashreplace")]
    return [Blob(raw)]


def _float(raw: bytes, code: str) -> Number:
    (value,) = struct.unpack("<" + code, raw)
    return Single(f"{value:.9g}") if code == "f" else Number(repr(value))

"""Universal Binary JSON (https://ubjson.org, draft 12), as XGBoost saves its models."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import missing, whole
from envfreeze.compare._tree import Array, Number, Value, compare_trees

MAX_DEPTH = 60
_NUMBERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_ARRAYS = {b"i": "i1", b"U": "u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}


def recognises(sample: Sample) -> bool:
    """An object whose first key starts with the type of its length; in JSON a quotation mark stands there."""
    return sample.head[:1] == b"{" and (sample.head[1:2] in _NUMBERS or sample.head[1:2] in (b"#", b"$"))


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value; typed arrays as arrays.

    Raises:
        NotThisKind: damaged, or nested too deeply.
    """
    return compare_trees(_Reader(whole(original)).document(), _Reader(whole(replay)).document(), options)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def document(self) -> Value:
        value = self._value(self._take(1), 0)
        if self.position != len(self.data):
            raise NotThisKind("something follows the end")
        return value

    def _take(self, count: int) -> bytes:
        if count < 0 or self.position + count > len(self.data):
            raise NotThisKind("it is cut off")
        self.position += count
        return self.data[self.position - count : self.position]

    def _peek(self) -> bytes:
        return self.data[self.position : self.position + 1]

    def _number(self, marker: bytes) -> Any:
        code = _NUMBERS.get(marker)
        if code is None:
            raise NotThisKind(f"the type {marker!r}")
        return struct.unpack(code, self._take(struct.calcsize(code)))[0]

    def _length(self) -> int:
        length = self._number(self._take(1))
        if not isinstance(length, int) or length < 0:
            raise NotThisKind("a length that is none")
        return length

    def _text(self) -> str:
        return self._take(self._length()).decode("utf-8", "backslashreplace")

    def _value(self, marker: bytes, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise NotThisKind(f"nested deeper than {MAX_DEPTH} levels")
        if marker in _NUMBERS:
            value = self._number(marker)
            return Number(f"{value:.9g}" if marker == b"d" else repr(value))
        if marker in b"ZTF" and marker:
            return {b"Z": None, b"T": True, b"F": False}[marker]
        if marker in (b"S", b"H"):
            return self._text()
        if marker == b"C":
            return self._take(1).decode("latin-1")
        if marker == b"{":
            return self._object(depth)
        if marker == b"[":
            return self._array(depth)
        raise NotThisKind(f"the type {marker!r}")

    def _head(self) -> tuple[bytes, int | None]:
        """The one type of all members and their number, where they are given."""
        kind, count = b"", None
        if self._peek() == b"$":
            self._take(1)
            kind = self._take(1)
        if self._peek() == b"#":
            self._take(1)
            count = self._length()
        if kind and count is None:
            raise NotThisKind("a type without a number of members")
        return kind, count

    def _object(self, depth: int) -> Value:
        kind, count = self._head()
        result: dict[str, Value] = {}
        while count is None or count > 0:
            if count is None and self._peek() == b"}":
                self._take(1)
                break
            name = self._text()
            if name in result:
                raise NotThisKind("a key comes twice")
            result[name] = self._value(kind or self._take(1), depth + 1)
            count = None if count is None else count - 1
        return result

    def _array(self, depth: int) -> Value:
        kind, count = self._head()
        if kind in _ARRAYS and count is not None:
            return self._typed(kind, count)
        result: list[Value] = []
        while count is None or len(result) < count:
            if count is None and self._peek() == b"]":
                self._take(1)
                break
            if kind and len(result) > len(self.data):
                raise NotThisKind("more members than it has bytes")
            result.append(self._value(kind or self._take(1), depth + 1))
        return result

    def _typed(self, kind: bytes, count: int) -> Value:
        try:
            import numpy
        except ImportError:
            raise missing("numpy") from None
        code = numpy.dtype(_ARRAYS[kind])
        return Array(numpy.frombuffer(self._take(count * code.itemsize), code))


COMPARATOR = Comparator(name="ubjson", priority=62, recognises=recognises, compare=compare)

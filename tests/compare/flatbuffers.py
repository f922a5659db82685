"""A small writer of FlatBuffers (https://flatbuffers.dev/internals)."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np


class Table(list[Any]):
    """A table of a FlatBuffer: for each field None, a pair (struct's code, number), or what it refers to: a
    text, a list of texts or tables, an array, or another table."""


def flatbuffer(root: Table, *, gap: int = 0) -> bytes:
    """The buffer, with ``gap`` zero bytes before each part."""
    out = bytearray(4)
    pending: list[tuple[int, Any]] = [(0, root)]

    def reference(value: Any) -> None:
        pending.append((len(out), value))
        out.extend(bytes(4))

    while pending:
        place, value = pending.pop(0)
        out.extend(bytes(gap))
        if isinstance(value, Table):
            layout = len(out)
            sizes = [
                0 if item is None else struct.calcsize(item[0]) if isinstance(item, tuple) else 4
                for item in value
            ]
            offsets = [4 + sum(sizes[:index]) if size else 0 for index, size in enumerate(sizes)]
            out.extend(struct.pack("<HH", 4 + 2 * len(value), 4 + sum(sizes)))
            out.extend(struct.pack(f"<{len(offsets)}H", *offsets))
            start = len(out)
            out.extend(struct.pack("<i", start - layout))
            for item in value:
                if isinstance(item, tuple):
                    out.extend(struct.pack(*item))
                elif item is not None:
                    reference(item)
        else:
            start = len(out)
            out.extend(struct.pack("<I", len(value.encode()) if isinstance(value, str) else len(value)))
            if isinstance(value, str):
                out.extend(value.encode() + b"\0")
            elif isinstance(value, np.ndarray):
                out.extend(value.tobytes())
            else:
                for item in value:
                    reference(item)
        out[place : place + 4] = struct.pack("<I", start - place)
    return bytes(out)

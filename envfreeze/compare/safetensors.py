"""safetensors, tensor by tensor (https://huggingface.co/docs/safetensors: a length, a JSON header, the
elements)."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._tally import Tally
from envfreeze.compare._tensors import TYPES, map_bytes
from envfreeze.compare._tree import Array, Object, Value, add_trees

MAX_HEADER = 100_000_000
"""Bytes, by the format."""


def recognises(sample: Sample) -> bool:
    """A length that the file has room for, then the start of a JSON object."""
    if len(sample.head) < 10 or sample.head[8:9] != b"{":
        return False
    length = struct.unpack("<Q", sample.head[:8])[0]
    return bool(2 <= length <= min(MAX_HEADER, sample.size - 8))


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Tensor by tensor, and the metadata; where in the file they lie is no result.

    Raises:
        NotThisKind: the header lies about the file, or numpy is missing.
    """
    tally = Tally(options)
    add_trees(_load(original), _load(replay), tally, root="$")
    return tally.finding("the same tensors and metadata; their places in the file differ")


def _load(path: Path) -> Value:
    with path.open("rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        try:
            header = json.loads(file.read(length), object_pairs_hook=_once)
            return _tensors(path, header, 8 + length)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise NotThisKind(f"a damaged header ({type(error).__name__})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name comes twice")
    return dict(pairs)


def _tensors(path: Path, header: dict[str, Any], start: int) -> Value:
    metadata = {str(key): str(value) for key, value in header.pop("__metadata__", {}).items()}
    tensors, spans = {}, []
    for name, entry in header.items():
        kind, shape = TYPES[entry["dtype"]], [int(length) for length in entry["shape"]]
        begin, end = (int(offset) for offset in entry["data_offsets"])
        if min([0, *shape]) < 0 or end - begin != math.prod(shape) * kind.size:
            raise NotThisKind("a tensor's place does not fit its shape")
        raw = map_bytes(path, start + begin, end - begin)
        data = raw.view(kind.code if kind.size == 1 else "<" + kind.code).reshape(shape)
        tensors[name] = Object(entry["dtype"], {"": Array(data, kind.encoding)})
        spans.append((begin, end))
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            raise NotThisKind("its tensors overlap or leave holes")
        position = end
    if start + position != path.stat().st_size:
        raise NotThisKind("it is longer or shorter than its header says")
    return Object("safetensors", {**tensors, "__metadata__": metadata})


COMPARATOR = Comparator(name="safetensors", priority=82, recognises=recognises, compare=compare)

"""The configuration in a Keras model: layers and their settings (``config.json`` in ``.keras``, Keras 3).

``shared_object_id`` is the address that an object had in memory (``id(object)`` in
``keras/src/saving/serialization_lib.py``), so that places with the same one become one object again. Which
places share an object counts; the addresses do not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import Number, Value, add_trees
from envfreeze.compare.json_ import MAX_SIZE, load

_KEY = "shared_object_id"


def recognises(sample: Sample) -> bool:
    """JSON that names a registered class and an object that may be shared."""
    start = sample.head.lstrip()[:1] == b"{"
    return start and b'"registered_name"' in sample.head and f'"{_KEY}"'.encode() in sample.head


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """As JSON, with the addresses numbered in the order in which they come.

    Raises:
        NotThisKind: not JSON, or larger than is read.
    """
    if max(original.stat().st_size, replay.stat().st_size) > MAX_SIZE:
        raise NotThisKind("larger than a configuration is")
    tally = Tally(options)
    one, two = load(original), load(replay)
    ours, theirs = _number(one), _number(two)
    differing = sum(a != b for a, b in zip(ours, theirs, strict=False))
    if differing:
        tally.aside("address of an object", differing)
    add_trees(one, two, tally, root="$")
    return tally.finding("the same layers and settings; order of keys or white space differ")


def _number(tree: Value) -> list[Any]:
    """Replace each address by its place in the order of first appearance; returns them as they came."""
    addresses: list[Any] = []
    numbers: dict[str, int] = {}
    pending = [tree]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            address = value.get(_KEY)
            if isinstance(address, Number):
                addresses.append(address.text)
                value[_KEY] = Number(str(numbers.setdefault(address.text, len(numbers))))
            pending += [value[key] for key in sorted(value, reverse=True)]
        elif isinstance(value, list):
            pending += reversed(value)
    return addresses


COMPARATOR = Comparator(name="keras-config", priority=61, recognises=recognises, compare=compare)
"""Above plain JSON."""

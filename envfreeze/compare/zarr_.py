"""Zarr stores of version 2 and 3, array by array, chunk by chunk
(https://zarr-specs.readthedocs.io: ``v2/v2.0``, ``v3/core``).

A store is a folder, or a ZIP or tar archive of one. Shapes of chunks, compression, filters, order in memory
and consolidated metadata that says the same as the store's own are no results. Only codecs that are listed
here are run: others may be anything, such as numcodecs' ``pickle``.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, not_a_file
from envfreeze.compare._arrays import compare_chunks
from envfreeze.compare._limits import IN_MEMORY, budget, missing
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import Object, Value, add_trees, brief
from envfreeze.compare._zarr_nodes import Node, nodes
from envfreeze.compare.bytes import parting
from envfreeze.records.verdict import Verdict

MARKERS = (".zarray", ".zgroup", "zarr.json")
_KEY = re.compile(
    r"\.zarray|\.zgroup|\.zattrs|\.zmetadata|zarr\.json|(?:c(?:[./]|$))?(?:[0-9]+(?:[./][0-9]+)*)?"
)
"""Of a node: its metadata, and chunks such as ``0.0``, ``0/0``, ``c/0/0``, ``c``."""
_PARTS = 32 + 1
"""Names in the key of a chunk at most: numpy's arrays have 32 axes at least."""


def stores(names: Collection[str]) -> Mapping[str, Collection[str]]:
    """The outermost folders with a marker of a node in them, and what is a key of the nodes below."""
    folders = {_folder(name) for name in names if name.endswith(MARKERS)}
    folders = {folder for folder in folders if any(_joined(folder, marker) in names for marker in MARKERS)}
    if not folders:
        return {}
    roots = {folder for folder in folders if not any(above in folders for above in _above(folder))}
    found: dict[str, list[str]] = {root: [] for root in roots}
    for name in names:
        above = [folder for folder in itertools.islice(_above(name), _PARTS) if folder in folders]
        inside = name[len(above[0]) :].removeprefix("/") if above else ""
        if inside and _KEY.fullmatch(inside):
            root = next(folder for folder in _above(name) if folder in roots)
            found[root].append(name)
    return found


def _joined(folder: str, marker: str) -> str:
    return f"{folder}/{marker}" if folder else marker


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _above(name: str) -> Iterator[str]:
    """The folders that a path lies in, from the inside out; the last one is empty."""
    while name:
        name = _folder(name)
        yield name


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value: attributes, fill values and elements.

    Raises:
        NotThisKind: zarr is not installed, the store is damaged, needs a codec that is not listed, or stands
            for more than may be unpacked.
    """
    try:
        import zarr  # noqa: F401 - asked for here, so that the sentence names it
    except ImportError:
        raise missing("zarr") from None
    one, two = nodes(original), nodes(replay)
    tally = Tally(options)
    add_trees(_described(one), _described(two), tally, root="$")
    for path in one:
        if path in two:
            layouts = one[path].layout, two[path].layout
            for name in {**layouts[0], **layouts[1]}:
                if layouts[0].get(name) != layouts[1].get(name):
                    tally.aside(name)
    try:
        for path, node in one.items():
            if path in two and _alike(node, two[path]):
                _elements(path, node, two[path], tally)
    except NotThisKind:
        raise
    except Exception as error:  # of many types, as zarr and its codecs were not made for damaged stores
        raise NotThisKind(f"damaged ({type(error).__name__})") from None
    return tally.finding("the same arrays and attributes; chunks or compression differ")


def _described(found: dict[str, Node]) -> Value:
    return {path or "/": Object(node.kind, node.meaning) for path, node in found.items()}


def _alike(one: Node, two: Node) -> bool:
    names = ("shape", "data_type")
    return one.kind == two.kind == "array" and all(
        json.dumps(one.meaning[name]) == json.dumps(two.meaning[name]) for name in names
    )


def _elements(path: str, one: Node, two: Node, tally: Tally) -> None:
    arrays = [_open(node) for node in (one, two)]
    first, second = arrays
    name = path or "array"
    if first.dtype.kind in "OT":
        if first.size > IN_MEMORY // 64:
            raise NotThisKind("it holds too many texts")
        texts = [array[...].tolist() for array in arrays]
        add_trees(_texts(texts[0]), _texts(texts[1]), tally, root=name, in_data=True)
        return
    if first.dtype.newbyteorder("=") != second.dtype.newbyteorder("="):
        tally.differ(name, str(first.dtype), str(second.dtype), "type")
        return
    budget().spend(2 * first.size * first.dtype.itemsize)
    finding = compare_chunks(
        name, first.dtype, tuple(first.shape), _pieces(one, two, first, second), tally.options
    )
    if finding.verdict is not Verdict.EQUIVALENT:
        tally.array(name, finding)


def _pieces(one: Node, two: Node, first: Any, second: Any) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
    """The chunks, without those whose bytes are the same where both stores are laid out alike."""
    alike = one.document == two.document
    lengths = tuple(first.shards or first.chunks)
    steps = zip(first.shape, lengths, strict=True)
    for start in itertools.product(*(range(0, size, step) for size, step in steps)):
        if alike:
            place = tuple(offset // step for offset, step in zip(start, lengths, strict=True))
            key = first.metadata.encode_chunk_key(place)
            if _same(one.folder / key, two.folder / key):
                continue
        where = tuple(slice(offset, offset + step) for offset, step in zip(start, lengths, strict=True))
        pieces = [_native(array[where]) for array in (first, second)]
        yield start, pieces[0], pieces[1]


def _native(piece: Any) -> Any:
    import numpy

    return numpy.asarray(piece)


def _same(one: Path, two: Path) -> bool:
    """True when both are missing (and so hold the fill value), or hold the same bytes."""
    there = one.exists(), two.exists()
    return parting(one, two) is None if all(there) else not any(there)


def _open(node: Node) -> Any:
    import zarr

    store = zarr.storage.LocalStore(node.folder, read_only=True)
    return zarr.open_array(store=store, mode="r", zarr_format=3 if node.format == 3 else 2)


def _texts(value: Any) -> Value:
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) or value is None else brief(value)


COMPARATOR = Comparator(
    name="zarr", priority=96, recognises=not_a_file, compare=compare, isolated=True, stores=stores
)

"""The groups and arrays of a zarr store, from its metadata; nothing is decoded here.

Metadata decides which codecs are run, so it is checked before zarr's own library sees it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from envfreeze.compare import NotThisKind
from envfreeze.compare._limits import MAX_MEMBERS
from envfreeze.compare._tally import shown
from envfreeze.compare._tree import Value
from envfreeze.compare.json_ import parse

MAX_METADATA = 16 << 20
MAX_NODES = 10_000
CODECS = frozenset({
    "blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma", "shuffle", "delta", "bitround", "fixedscaleoffset",
    "quantize", "packbits", "astype", "crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3", "bytes",
    "vlen-utf8", "vlen-bytes", "transpose", "sharding_indexed",
})  # fmt: skip
"""Those of the specifications and of numcodecs that only rearrange bytes and numbers."""
_LAYOUT = {
    "chunks": "shape of chunks", "chunk_grid": "shape of chunks", "compressor": "compression",
    "filters": "compression", "codecs": "compression", "order": "order in memory",
    "dimension_separator": "names of chunks", "chunk_key_encoding": "names of chunks",
    "zarr_format": "version of zarr",
}  # fmt: skip
"""What says how a store is laid out and not what it holds."""
_REDUNDANT = ("consolidated_metadata", "node_type", "must_understand")

_MAY_BE_ABSENT = ("attributes", "dimension_names", "storage_transformers")
"""Keys that mean the same when they are empty and when they are not there."""


class Node(NamedTuple):
    """A group or an array."""

    kind: str
    format: int
    folder: Path
    meaning: dict[str, Value]
    """What counts, but for the elements."""
    layout: dict[str, str]
    document: str
    """All that decides how chunks are called and encoded."""


def nodes(folder: Path) -> dict[str, Node]:
    """The nodes of a store by their paths; the root's is empty.

    Raises:
        NotThisKind: the metadata is damaged, contradicts itself, or asks for a codec that is not listed.
    """
    found: dict[str, Node] = {}
    copies: list[tuple[str, dict[str, Any]]] = []
    raw: dict[str, Any] = {}
    for path in _metadata_files(folder):
        where = path.parent.relative_to(folder).as_posix()
        where = "" if where == "." else where
        document = _read(path)
        raw[_joined(where, path.name)] = json.loads(document)
        if path.name == ".zmetadata" or "consolidated_metadata" in raw[_joined(where, path.name)]:
            copies.append((where, raw[_joined(where, path.name)]))
        if path.name in (".zarray", ".zgroup", "zarr.json"):
            if where in found:
                raise NotThisKind(f"{shown(where) or 'the root'} is two nodes")
            if len(found) >= MAX_NODES:
                raise NotThisKind(f"it has more than {MAX_NODES} groups and arrays")
            found[where] = _node(path, document)
    for where, copy in copies:
        _check_copy(where, copy, raw)
        if where in found:
            found[where].layout["consolidated metadata"] = "there"
    return dict(sorted(found.items()))


def _joined(where: str, name: str) -> str:
    return f"{where}/{name}" if where else name


def _metadata_files(folder: Path) -> Iterator[Path]:
    for count, path in enumerate(sorted(folder.rglob("*"))):
        if count > 2 * MAX_MEMBERS:
            raise NotThisKind(f"it has more than {2 * MAX_MEMBERS} files")
        if path.name in (".zarray", ".zgroup", ".zattrs", ".zmetadata", "zarr.json"):
            yield path


def _read(path: Path) -> str:
    if path.stat().st_size > MAX_METADATA:
        raise NotThisKind("its metadata is too large")
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise NotThisKind(str(error)) from None
    if not isinstance(parse(text), dict):
        raise NotThisKind("its metadata is no object")
    return text


def _node(path: Path, text: str) -> Node:
    values, plain = parse(text), json.loads(text)
    version = 3 if path.name == "zarr.json" else 2
    if plain.get("zarr_format") != version:
        raise NotThisKind("metadata of another version of zarr")
    kind = str(plain.get("node_type", "")) if version == 3 else path.name.removeprefix(".z")
    if kind not in ("array", "group"):
        raise NotThisKind(f"a node of the kind {shown(kind)!r}")
    attributes = path.parent / ".zattrs"
    if version == 2 and attributes.exists():
        values["attributes"] = parse(_read(attributes))
    if kind == "array":
        _check_array(plain, version)
        values["data_type"] = values.pop("dtype", values.get("data_type"))
        if version == 2 and isinstance(values["data_type"], str):
            values["data_type"] = _type_name(values["data_type"])
    layout = {
        word: json.dumps({key: plain.get(key) for key in _LAYOUT if _LAYOUT[key] == word}, sort_keys=True)
        for word in dict.fromkeys(_LAYOUT.values())
        if word in {_LAYOUT[key] for key in plain if key in _LAYOUT}
    }
    meaning = {
        key: value
        for key, value in values.items()
        if key not in _LAYOUT
        and key not in _REDUNDANT
        and (value not in ({}, [], None) or key not in _MAY_BE_ABSENT)
    }
    deciding = (*_LAYOUT, "dtype", "data_type", "fill_value", "shape")
    layouts = {key: part for key, part in plain.items() if key in deciding}
    return Node(kind, version, path.parent, meaning, layout, json.dumps(layouts, sort_keys=True))


def _type_name(code: str) -> str:
    """Version 2 writes numpy's codes with the byte order, which is no result; version 3 writes names."""
    names = {
        "b1": "bool", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "u1": "uint8",
        "u2": "uint16", "u4": "uint32", "u8": "uint64", "f2": "float16", "f4": "float32", "f8": "float64",
        "c8": "complex64", "c16": "complex128",
    }  # fmt: skip
    return names.get(code.lstrip("<>|="), code)


def _check_array(plain: dict[str, Any], version: int) -> None:
    shape = plain.get("shape")
    if not isinstance(shape, list) or len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
        raise NotThisKind("an array with a shape that cannot be")
    if version == 2:
        chunks, codecs = plain.get("chunks"), [plain.get("compressor"), *(plain.get("filters") or [])]
        names = [codec.get("id") for codec in codecs if isinstance(codec, dict)]
        if len(names) != sum(codec is not None for codec in codecs):
            raise NotThisKind("a codec that is none")
    else:
        grid = plain.get("chunk_grid")
        if not isinstance(grid, dict) or grid.get("name") != "regular" or plain.get("storage_transformers"):
            raise NotThisKind("a grid of chunks that is not regular")
        chunks = grid.get("configuration", {}).get("chunk_shape")
        names = list(_codecs(plain.get("codecs"), 0))
        if plain.get("chunk_key_encoding", {}).get("name") not in ("default", "v2"):
            raise NotThisKind("chunks with names of another kind")
    for name in names:
        if str(name).removeprefix("numcodecs.") not in CODECS:
            raise NotThisKind(f"it needs the codec {shown(str(name))!r}")
    if not isinstance(chunks, list) or len(chunks) != len(shape):
        raise NotThisKind("chunks that do not fit the shape")
    if not all(type(length) is int and length > 0 for length in chunks):
        raise NotThisKind("chunks with a shape that cannot be")


def _codecs(codecs: Any, depth: int) -> Iterator[str]:
    """The names of all codecs, those inside of shards too."""
    if not isinstance(codecs, list) or depth > 3:
        raise NotThisKind("codecs that are none, or nested too deeply")
    for codec in codecs:
        if not isinstance(codec, dict):
            raise NotThisKind("a codec that is none")
        yield str(codec.get("name"))
        inner = codec.get("configuration")
        for key in ("codecs", "index_codecs"):
            if isinstance(inner, dict) and key in inner:
                yield from _codecs(inner[key], depth + 1)


def _check_copy(where: str, copy: dict[str, Any], raw: dict[str, Any]) -> None:
    """Refuse consolidated metadata that says something else than the nodes themselves."""
    version = 2 if "consolidated_metadata" not in copy else 3
    holder = copy if version == 2 else copy["consolidated_metadata"]
    if holder is None:
        return
    entries = holder.get("metadata") if isinstance(holder, dict) else None
    if not isinstance(entries, dict):
        raise NotThisKind("damaged consolidated metadata")
    for key, said in entries.items():
        own = raw.get(_joined(where, key if version == 2 else f"{key}/zarr.json"))
        if _bare(own) != _bare(said):
            raise NotThisKind(f"consolidated metadata that contradicts the store ({shown(key)})")


def _bare(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    return {
        key: value
        for key, value in document.items()
        if key != "consolidated_metadata" and (value or key not in _MAY_BE_ABSENT)
    }

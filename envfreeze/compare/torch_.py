"""Checkpoints of torch (``torch.save``), tensor by tensor; nothing is unpickled, storages are memory-mapped.

Two formats: a ZIP archive (since 1.6) with ``data.pkl``, ``data/0``, …; and before that three small
pickles, the data's pickle, the list of storages, then each storage as its length and its elements
(https://github.com/pytorch/pytorch/blob/main/torch/serialization.py).
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import IN_MEMORY
from envfreeze.compare._numpy_objects import build
from envfreeze.compare._numpy_objects import call as numpy_call
from envfreeze.compare._pickle import Machine, Stream, Tuple
from envfreeze.compare._tally import Tally
from envfreeze.compare._tensors import TYPES, Storage, as_bytes, map_bytes, tensor
from envfreeze.compare._tree import Number, Object, Value, add_trees
from envfreeze.files import CHUNK, stop_if_told

LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
"""The pickle of the number 0x1950a86a20f9469cfc6c."""
_OWN = ("data.pkl", "version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id")
_SMALL = 1 << 20
_DAMAGED = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    zlib.error,
    ValueError,
    OSError,
    KeyError,
    struct.error,
    TypeError,
    AttributeError,
    IndexError,
)


class _Checkpoint(NamedTuple):
    value: Value
    facts: dict[str, str]
    devices: str
    aside: dict[str, str]


def recognises(sample: Sample) -> bool:
    """The legacy number, or a ZIP archive whose first member lies in a folder and is called ``data.pkl``."""
    if sample.head.startswith(LEGACY):
        return True
    if not sample.head.startswith(b"PK\x03\x04") or len(sample.head) < 30:
        return False
    length = struct.unpack("<H", sample.head[26:28])[0]
    return sample.head[30 : 30 + length].endswith(b"/data.pkl")


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Tensor by tensor, in tolerance by type; on which device they lay is no result, all else is compared.

    Raises:
        NotThisKind: damaged, TorchScript (which is an archive with code), or numpy is missing.
    """
    try:
        one, two = (_load(path) for path in (original, replay))
    except _DAMAGED as error:
        raise NotThisKind(f"a damaged checkpoint ({error})") from None
    tally = Tally(options)
    for fact in {**one.facts, **two.facts}:
        first, second = one.facts.get(fact, ""), two.facts.get(fact, "")
        if first != second:
            tally.differ(fact, first, second)
    for name in {**one.aside, **two.aside}:
        if one.aside.get(name) != two.aside.get(name):
            tally.aside(name)
    if one.devices != two.devices:
        tally.aside("device of the tensors")
    add_trees(one.value, two.value, tally, root="$")
    return tally.finding("the same values and tensors; the archive's own bytes differ")


def _load(path: Path) -> _Checkpoint:
    with path.open("rb") as file:
        legacy = file.read(len(LEGACY)) == LEGACY
    return _load_legacy(path) if legacy else _load_archive(path)


class _Reader:
    """What is special in torch's pickles: storages and the tensors that look into them."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self.devices: list[str] = []

    def persistent(self, value: Value) -> Value:
        if not isinstance(value, list) or len(value) < 5 or value[0] != "storage":
            raise ValueError("no storage")
        kind, key, device, count = str(value[1]).rpartition(".")[2], str(value[2]), str(value[3]), value[4]
        self.devices.append(device)
        storage = self.storages.setdefault(key, Storage(kind, int(count.text)))
        view = value[5] if len(value) > 5 else None
        return Object("storage", {"": storage, "view": view})

    def call(self, kind: str, arguments: list[Any], machine: Machine) -> Value:
        name = kind.rpartition(".")[2]
        if kind.startswith("torch._utils._rebuild_tensor") and len(arguments) >= 4:
            storage, offset, shape, stride = arguments[:4]
            return Object(
                "tensor",
                {
                    "": _Later(storage.parts[""], offset, shape, stride, arguments[6:7]),
                    "requires_grad": arguments[4] if len(arguments) > 4 else False,
                },
            )
        if kind.startswith("torch._utils._rebuild_parameter") and arguments:
            extra = Tuple(arguments[1:2])
            return Object("parameter", {"": arguments[0], name: extra})
        return numpy_call(kind, arguments, machine)

    def pickle(self, stream: Stream) -> Value:
        return Machine(stream, call=self.call, build=build, persistent=self.persistent).run()


class _Later(NamedTuple):
    """A tensor whose storage is not known yet."""

    storage: Storage
    offset: Number
    shape: list[Number]
    stride: list[Number]
    dtype: list[Any]


def _resolve(value: Value) -> Value:
    """Put the tensors where they are to come; every container is visited once."""
    pending, met = [value], set()
    while pending:
        current = pending.pop()
        parts = current.parts if isinstance(current, Object) else current
        if not isinstance(parts, dict | list) or id(parts) in met:
            continue
        met.add(id(parts))
        for key, item in list(parts.items() if isinstance(parts, dict) else enumerate(parts)):
            if isinstance(item, _Later):
                kind = str(item.dtype[0]).removeprefix("torch.") if item.dtype else item.storage.kind
                numbers = ([int(part.text) for part in side] for side in (item.shape, item.stride))
                parts[key] = tensor(item.storage, kind, int(item.offset.text), *numbers)
            elif isinstance(item, Storage):
                parts[key] = item.kind
            else:
                pending.append(item)
    return value


def _load_archive(path: Path) -> _Checkpoint:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if len(entries) != len(archive.infolist()):
            raise NotThisKind("the archive has two members of one name")
        (prefix,) = {name.partition("/")[0] for name in entries}
        names = {name.partition("/")[2]: entry for name, entry in entries.items()}
        others = [name for name in names if name not in _OWN and not name.startswith("data/")]
        if others:
            raise NotThisKind(f"it holds more than tensors ({others[0]})")
        if names["data.pkl"].file_size > IN_MEMORY:
            raise NotThisKind("its pickle is too large")
        contents = {name: _Content(path, archive, entry) for name, entry in names.items()}
        small = {
            name: contents[name].data[:_SMALL].tobytes().decode("latin-1") for name in _OWN if name in names
        }
        order = ">" if small.get("byteorder") == "big" else "<"
        reader = _Reader()
        pickled = contents["data.pkl"].data.tobytes()
        value = reader.pickle(Stream(io.BytesIO(pickled), len(pickled)))
        for key, storage in reader.storages.items():
            storage.fill(contents[f"data/{key}"].data, order)
        stored = {name for name in names if name.startswith("data/")}
    unused = stored - {f"data/{key}" for key in reader.storages}
    if unused:
        raise NotThisKind(f"it holds a storage that nothing refers to ({min(unused)})")
    aside = {
        "name inside the archive": prefix,
        "serialization id": small.get(".data/serialization_id", ""),
        "alignment": small.get(".storage_alignment", ""),
    }
    facts = {name: small.get(name, "") for name in ("version", "byteorder", ".format_version")}
    facts["checksums"] = "wrong" if any(content.wrong for content in contents.values()) else "right"
    return _Checkpoint(_resolve(value), facts, str(sorted(set(reader.devices))), aside)


class _Content:
    """The bytes of a member: of a stored one in place, mapped; of a compressed one in memory."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        self.wrong = False
        """True when its checksum is not that of the archive; torch can be told to leave checksums out."""
        if entry.compress_type != zipfile.ZIP_STORED:
            if entry.file_size > IN_MEMORY:
                raise NotThisKind("its storages are compressed and large")
            self.data = as_bytes(archive.read(entry))
            return
        with path.open("rb") as file:
            file.seek(entry.header_offset)
            header = file.read(30)
        if len(header) < 30 or header[:4] != b"PK\x03\x04" or entry.compress_size != entry.file_size:
            raise NotThisKind("a damaged archive")
        start = entry.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        self.data = map_bytes(path, start, entry.file_size)
        check = 0
        for place in range(0, len(self.data), CHUNK):
            stop_if_told()
            check = zlib.crc32(self.data[place : place + CHUNK], check)
        self.wrong = check != entry.CRC


def _load_legacy(path: Path) -> _Checkpoint:
    reader, size = _Reader(), path.stat().st_size
    with path.open("rb") as file:
        stream = Stream(file, size)
        _, protocol, system = (Machine(stream).run() for _ in range(3))
        value = reader.pickle(stream)
        keys = [str(key) for key in Machine(stream).run()]
        position = file.tell()
        little = isinstance(system, dict) and system.get("little_endian") is True
        for key in keys:
            storage = reader.storages[key]
            file.seek(position)
            count = struct.unpack("<q" if little else ">q", file.read(8))[0]
            if count != storage.count:
                raise NotThisKind("a storage has another length than its tensors say")
            length = count * TYPES[storage.kind].size
            storage.fill(map_bytes(path, position + 8, length), "<" if little else ">")
            position += 8 + length
    if position != size:
        raise NotThisKind("something follows the last storage")
    facts = {"protocol": getattr(protocol, "text", ""), "byte order": str(little)}
    return _Checkpoint(_resolve(value), facts, str(sorted(set(reader.devices))), {})


COMPARATOR = Comparator(name="torch", priority=90, recognises=recognises, compare=compare, isolated=True)

"""Containers of other outputs, and programs: ZIP, tar, compressed, ELF."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from typing import Any

from ._experiment import TREE, Experiment, known
from .arrays import as_npz
from .documents import as_json, as_log


def files(found: Experiment) -> dict[str, bytes]:
    held = {"metrics.json": as_json(found), "deep/weights.npz": as_npz(found), "log.txt": as_log(found)}
    return held if found.extra else {"metrics.json": held["metrics.json"]}


def as_zip(
    found: Experiment, *, year: int = 1980, packed: bool = False, reverse: bool = False, system: int = 3
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in list(files(found).items())[:: -1 if reverse else 1]:
            entry = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system = 8 if packed else 0, system
            archive.writestr(entry, data)
    return stream.getvalue()


known(
    "zip",
    ".whl",
    as_zip,
    *TREE,
    benign={
        **{f"year {n}": {"year": n} for n in (1999, 2024, 2030)},
        "packed": {"packed": True},
        "order": {"reverse": True},
        "system": {"system": 0},
    },
)


def as_tar(
    found: Experiment,
    *,
    time: int = 0,
    owner: str = "ada",
    kind: int = tarfile.GNU_FORMAT,
    reverse: bool = False,
) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as archive:
        for name, data in list(files(found).items())[:: -1 if reverse else 1]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.uname = len(data), time, owner
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


known(
    "tar",
    ".tar",
    as_tar,
    *TREE,
    benign={
        **{f"time {n}": {"time": n} for n in (1, 10**9, 2 * 10**9)},
        "owner": {"owner": "bob"},
        "pax": {"kind": tarfile.PAX_FORMAT},
        "ustar": {"kind": tarfile.USTAR_FORMAT},
        "order": {"reverse": True},
    },
)


def _zst(data: bytes, level: int) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=level).compress(data)


for _name, _pack, _levels in (
    ("gz", lambda data, level: gzip.compress(data, level, mtime=level), (1, 3, 5, 9)),
    ("bz2", bz2.compress, (2, 5, 8)),
    ("xz", lambda data, level: lzma.compress(data, preset=level), (3, 6)),
    ("zst", _zst, (3, 9, 15)),
):

    def _build(found: Experiment, *, level: int = 1, pack: Any = _pack, **settings: Any) -> bytes:
        return pack(as_tar(found, **settings), level)

    known(
        _name,
        f".tar.{_name}",
        _build,
        *TREE,
        benign={
            **{f"level {n}": {"level": n} for n in _levels},
            "time": {"time": 99},
            "both": {"level": _levels[0], "owner": "bob"},
        },
    )


def elf(text: bytes = b"code", identifier: bytes = b"\1" * 20, data: bytes = b"data") -> bytes:
    """A library of a few sections."""
    note = struct.pack("<III", 4, len(identifier), 3) + b"GNU\0" + identifier
    names = b"\0.text\0.data\0.note.gnu.build-id\0.shstrtab\0"
    bodies = [(".text", text), (".data", data), (".note.gnu.build-id", note), (".shstrtab", names)]
    offset, headers, out = 64, [bytes(64)], b""
    for name, body in bodies:
        place = names.index(b"\0" + name.encode() + b"\0") + 1
        headers.append(struct.pack("<IIQQQQIIQQ", place, 1, 0, 0, offset, len(body), 0, 0, 1, 0))
        out, offset = out + body, offset + len(body)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, offset, 0, 64, 0, 0, 64, len(headers), len(headers) - 1
    )
    return head + out + b"".join(headers)


def as_elf(found: Experiment, *, identifier: int = 1) -> bytes:
    text = found.weights.tobytes() + str(found.weights.dtype).encode() + str(found.weights.shape).encode()
    held = "".join((*found.labels, found.name, repr(found.metric), repr(found.rows), str(found.extra)))
    return elf(text + found.counts.tobytes(), bytes([identifier]) * 20, held.encode())


known("elf", ".so", as_elf, *TREE, benign={f"build {n}": {"identifier": n} for n in (2, 3, 250)})

"""Outputs from strangers: bounded time and memory, a clear word, and no code is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from envfreeze.compare import Options, _worker
from envfreeze.compare._contents import compare_contents

from . import encoders
from .mutations import BASE, FORMATS
from .mutations.archives import elf


class Harm:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(last: int) -> bytes:
    """A picture of 60,000 × 60,000 pixels in a few hundred bytes of rows."""
    rows = zlib.compress(bytes(1 << 20) + bytes([last]), 9)
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def laughs(last: str) -> bytes:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return f'<?xml version="1.0"?><!DOCTYPE x [{entities}]><x>&a11;{last}</x>'.encode()


def npy_header(shape: str, kind: str = "<f8") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def zip_bomb(last: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}", bytes(8 << 20) + last)
    return stream.getvalue()


def lying_zip(last: bytes) -> bytes:
    """Says that its member unpacks to one byte."""
    data = bytearray(zip_bomb(last))
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 1)
    return bytes(data)


def deep_pickle(last: bytes) -> bytes:
    return b"\x80\x04" + b"]" * 50_000 + b"a" * 49_999 + last + b"."


def quadratic_pickle(last: int) -> bytes:
    return b"\x80\x04\x8b" + struct.pack("<I", 1 << 20) + b"\x7f" * ((1 << 20) - 1) + bytes([last]) + b"."


def safetensors(start: int, end: int, last: bytes) -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [start, end]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"1234" + last


def huge_tensor(last: int) -> bytes:
    """A tensor of 10^15 elements by strides of zero."""
    plain = encoders.torch({"w": np.array([1.0, last])})
    return plain.replace(b"K\x02\x85", b"\x8a\x07" + (10**15).to_bytes(7, "little") + b"\x85", 1)


def deep_json(last: int) -> bytes:
    return b'{"a":' * 100_000 + str(last).encode() + b"}" * 100_000


def deep_ubjson(last: int) -> bytes:
    return b"{i\x01a" * 100_000 + bytes([last])


def deep_xml(last: int) -> bytes:
    return b"<a>" * 100_000 + str(last).encode() + b"</a>" * 100_000


def long_ubjson(last: int) -> bytes:
    """A list of 2^62 nulls."""
    return b"{i\x01a[$Z#L" + struct.pack(">q", 1 << 62) + bytes([last])


def deep_protobuf(last: int) -> bytes:
    inner = bytes([0x0A, 0x00, last])
    for _ in range(2000):
        inner = encoders.field(7, inner)
    return b"\x08\x01\x3a" + inner[1:]


def event_of_any_size(last: int) -> bytes:
    length = struct.pack("<Q", 1 << 60)
    first = encoders.events([], "x")
    return first + length + struct.pack("<I", encoders.masked_crc(length)) + bytes([last])


def wide_elf(last: int) -> bytes:
    data = bytearray(elf(data=bytes([last]) * 4))
    data[0x3C:0x3E] = b"\xff\xff"
    return bytes(data)


def links_out(last: int) -> bytes:
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["x"] = last
        file["out"] = h5py.ExternalLink("/etc/passwd", "/")
        file["loop"] = h5py.SoftLink("/loop")
        file.create_group("g")["again"] = file["/"]
        file.create_dataset("huge", (1 << 50,), "f8", chunks=(1 << 20,))
    return stream.getvalue()


def tar_out(last: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("../../escape", "/tmp/escape"):
            entry = tarfile.TarInfo(name)
            entry.size = len(last)
            archive.addfile(entry, io.BytesIO(last))
    return stream.getvalue()


HOSTILE = {
    "XML entities": (laughs("1"), laughs("2")),
    "XML, deep": (deep_xml(1), deep_xml(2)),
    "JSON, deep": (deep_json(1), deep_json(2)),
    "UBJSON, deep": (deep_ubjson(1), deep_ubjson(2)),
    "UBJSON, long": (long_ubjson(1), long_ubjson(2)),
    "PNG bomb": (png_bomb(0), png_bomb(1)),
    "npy, too many elements": (
        npy_header("(1152921504606846976,)") + b"1",
        npy_header("(1152921504606846976,)") + b"2",
    ),
    "npy, negative": (npy_header("(-1, -5)") + b"1" * 40, npy_header("(-1, -5)") + b"2" * 40),
    "npy, no numbers": (npy_header("(2,)", "|V0") + b"1", npy_header("(2,)", "|V0") + b"2"),
    "zip that lies": (lying_zip(b"1"), lying_zip(b"2")),
    "pickle, deep": (deep_pickle(b""), deep_pickle(b"0")),
    "pickle, long number": (quadratic_pickle(1), quadratic_pickle(2)),
    "pickle, huge length": (
        b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f1.",
        b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f2.",
    ),
    "safetensors, outside": (safetensors(0, 1 << 42, b"1"), safetensors(0, 1 << 42, b"2")),
    "safetensors, backwards": (safetensors(9, 2, b"1"), safetensors(9, 2, b"2")),
    "torch, huge tensor": (huge_tensor(1), huge_tensor(2)),
    "protobuf, deep": (deep_protobuf(1), deep_protobuf(2)),
    "events, huge": (event_of_any_size(1), event_of_any_size(2)),
    "ELF, many sections": (wide_elf(1), wide_elf(2)),
    "tar that leaves its folder": (tar_out(b"1"), tar_out(b"2")),
}


def peak_memory() -> int:
    """Bytes of this process at its most; other processes that read files have a limit of their own."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_lies_is_different_soon(judge, kind: str) -> None:
    one, two = HOSTILE[kind]
    began, before = time.perf_counter(), peak_memory()
    finding = judge(one, two, "x").finding
    assert finding.verdict == "different"
    assert finding.reason
    assert time.perf_counter() - began < 60
    assert peak_memory() - before < 1 << 30


def test_links_of_hdf5_are_not_followed(judge) -> None:
    finding = judge(links_out(1), links_out(2), "x.h5").finding
    assert finding.verdict == "different"


def test_a_zip_bomb_is_not_unpacked(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envfreeze.compare._limits.FREE", 1 << 20)
    finding = judge(zip_bomb(b"1"), zip_bomb(b"2"), "x.zip").finding
    assert finding.verdict == "different"
    assert "unpacks to more than" in finding.reason


@pytest.mark.parametrize("protocol", range(6))
def test_no_code_of_a_pickle_runs(judge, tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "was-here"
    one, two = (pickle.dumps({"a": Harm(trace), "b": number}, protocol) for number in (1, 2))
    found = judge(one, two, "x.pkl")
    assert (found.comparator, found.finding.verdict) == ("pickle", "different")
    assert "$.b 1 → 2" in found.finding.reason
    assert not trace.exists()


def test_a_pickle_that_names_another_command_is_different(judge, tmp_path: Path) -> None:
    one, two = (pickle.dumps(Harm(tmp_path / name)) for name in ("x", "y"))
    assert judge(one, two, "x.pkl").finding.verdict == "different"
    assert not any((tmp_path / name).exists() for name in ("x", "y"))


def test_lists_that_hold_each_other_end(judge) -> None:
    shared: list[object] = [1]
    for _ in range(60):
        shared = [shared] * 10
    loop: list[object] = []
    loop.append(loop)
    one, two = (pickle.dumps({"shared": shared, "loop": loop, "x": number}) for number in (1, 2))
    assert judge(one, two, "x.pkl").finding.reason == "$.x 1 → 2"


def test_a_sparse_file_of_100_gb_beside_a_small_one(tmp_path: Path) -> None:
    """The contents part at once; nothing reads on to the end."""
    one, two = tmp_path / "one", tmp_path / "two"
    for path, start in ((one, b"\x93NUMPY\x01\x00"), (two, b"\x93NUMPY\x02\x00")):
        with path.open("wb") as stream:
            stream.write(start)
            stream.truncate(100 << 30)
    began = time.perf_counter()
    finding = compare_contents(one, two, Options(), "x.npy").finding
    assert finding.verdict == "different"
    assert time.perf_counter() - began < 60


def test_a_reader_that_hangs_or_dies_is_replaced(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (FORMATS["png"].build(value) for value in (BASE, BASE._replace(counts=BASE.counts + 1)))
    assert judge(one, two, "x.png").comparator == "picture"
    worker = _worker._idle.get_nowait()
    worker.process.kill()
    worker.process.wait()
    _worker._idle.put(worker)
    found = judge(one, two, "x.png")
    assert found.finding.verdict == "different"
    assert "crashed or ran out of memory" in found.finding.reason
    assert judge(one, two, "x.png").comparator == "picture"
    monkeypatch.setattr(_worker, "PATIENCE", -1000.0)
    assert "still not done" in judge(one, two, "x.png").finding.reason
    monkeypatch.undo()
    assert judge(one, two, "x.png").comparator == "picture"

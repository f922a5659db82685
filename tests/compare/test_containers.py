from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from types import SimpleNamespace

import msgspec
import pytest
import zstandard

from envfreeze.compare import _worker
from envfreeze.compare._tree import Blob
from envfreeze.errors import EnvironmentFailure

from .encoders import field
from .mutations import BASE, FORMATS

FILES = {"m.json": b'{"a": 0.5, "b": 1}', "notes/log.txt": b"loss: 0.25\n"}


def tar(files: dict[str, bytes] = FILES, *, time: int = 0, mode: int = 0o644, kind: bytes = b"0") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode, entry.type = len(data), time, mode, kind
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def zipped(files: dict[str, bytes] = FILES, *, year: int = 1980, method: int = 0, mode: int = 0o644) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = method, mode << 16
            archive.writestr(entry, data)
    return stream.getvalue()


WORSE = {**FILES, "m.json": b'{"a": 0.5, "b": 2}'}
REORDERED = dict(reversed(FILES.items()))
SPELLED = {**FILES, "m.json": b'{"b": 1, "a": 0.50}'}


@pytest.mark.parametrize("pack", [tar, zipped])
def test_members_are_compared_by_their_kind(judge, pack) -> None:
    finding = judge(pack(), pack(WORSE), "x").finding
    assert (finding.verdict, finding.reason) == ("different", "m.json: $.b 1 → 2")
    assert finding.differences[0].where == "m.json: $.b"
    assert judge(pack(), pack(SPELLED), "x").finding.verdict == "equivalent"
    assert judge(pack(), pack(REORDERED), "x").finding.set_aside == ("order of members: 1 place",)
    assert "only in the original" in judge(pack(), pack({"m.json": FILES["m.json"]}), "x").finding.reason
    assert judge(pack(), pack(mode=0o755), "x").finding.verdict == "different"


def test_times_and_compression_are_set_aside(judge) -> None:
    assert judge(tar(), tar(time=99), "x.tar").finding.verdict == "equivalent"
    finding = judge(zipped(), zipped(year=2024, method=8), "x.zip").finding
    assert finding.set_aside == ("compression: 2 places", "time of a member: 2 places")


def test_a_type_of_a_member_counts(judge) -> None:
    assert judge(tar({"a": b""}), tar({"a": b""}, kind=b"2"), "x").finding.verdict == "different"


COMPRESSORS = {
    "gz": lambda data, level: gzip.compress(data, level, mtime=level),
    "bz2": bz2.compress,
    "xz": lambda data, level: lzma.compress(data, preset=level),
    "zst": lambda data, level: zstandard.ZstdCompressor(level=level).compress(data),
}


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_compressed_streams_by_what_they_hold(judge, kind: str) -> None:
    pack = COMPRESSORS[kind]
    one = pack(tar(), 1)
    assert judge(one, pack(tar(time=5), 9), f"x.tar.{kind}").finding.verdict == "equivalent"
    found = judge(one, pack(tar(WORSE), 1), f"x.tar.{kind}")
    assert (found.comparator, found.finding.reason) == ("compressed", "m.json: $.b 1 → 2")
    cut = judge(one, one[:-9], f"x.tar.{kind}").finding
    assert cut.verdict == "different"
    assert "damaged" in cut.reason


def test_two_members_of_one_name_are_not_guessed_at(judge) -> None:
    both = tar({"a": b"1"})[:1024] + tar({"a": b"2"})
    other = tar({"a": b"1"})[:1024] + tar({"a": b"3"})
    found = judge(both, other, "x.tar")
    assert (found.comparator, found.finding.verdict) == ("bytes", "different")
    assert "two members of the name" in found.finding.reason


def test_containers_in_containers_end(judge) -> None:
    one, two = b'{"a": 1}', b'{"a": 2}'
    for level in range(12):
        one, two = (zipped({f"{level}": data}) for data in (one, two))
    finding = judge(one, two, "x.zip").finding
    assert finding.verdict == "different"
    assert "more than 8 containers" in finding.reason


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_a_bomb_is_not_unpacked(judge, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envfreeze.compare._limits.FREE", 1 << 20)
    one, two = (COMPRESSORS[kind](bytes(12 << 20) + end, 9) for end in (b"a", b"b"))
    finding = judge(one, two, "x").finding
    assert finding.verdict == "different"
    assert "unpacks to more than" in finding.reason


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_a_full_disk_is_no_verdict(judge, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = COMPRESSORS["gz"] if kind == "gz" else (lambda data, _: zipped({"m": data}))
    one, two = pack(b"1" * 99, 9), pack(b"2" * 99, 9)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10))
        with pytest.raises(EnvironmentFailure, match="no room"):
            judge(one, two, "x")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    with pytest.raises(EnvironmentFailure, match="no room"):
        judge(one, two, "x")


@pytest.mark.parametrize("kind", ["sqlite", "hdf5", "notebook", "onnx"])
def test_a_full_disk_is_no_verdict_of_another_process(judge, kind: str, monkeypatch) -> None:
    """Readers of their own process say it too, though some of them take errors of files for damage."""
    changed = BASE._replace(weights=BASE.weights + 1, metric=0.5, labels=("a", "b", "c"))
    contents = [FORMATS[kind].build(found) for found in (BASE, changed)]

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def ask(_: object, question: bytes, __: float) -> bytes:
        return msgspec.json.encode(_worker._answer(question)) + b"\n"

    monkeypatch.setattr(_worker._Worker, "ask", ask)
    if kind == "hdf5":
        monkeypatch.setattr("envfreeze.compare.hdf5._head", lambda *_: Blob(os.urandom(8)))
        contents = [FORMATS[kind].build(found, block=512) for found in (BASE, changed)]
    if kind == "onnx":
        contents = [data + field(99, bytes([place])) for place, data in enumerate(contents)]
    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    with pytest.raises(EnvironmentFailure, match="no room"):
        judge(*contents, f"x{FORMATS[kind].suffix}")

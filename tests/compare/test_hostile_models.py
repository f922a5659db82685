"""Models and stores from strangers: bounded time and memory, and a clear word."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from envfreeze.compare import Options
from envfreeze.compare.outputs import compare_sets
from envfreeze.compare.sides import side_of_folder

from . import encoders
from .encoders import field, varint


@pytest.fixture(autouse=True)
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in this process, so that the bounds are the reader's own, and soon reached."""
    monkeypatch.setattr("envfreeze.compare._worker.inside", True)
    monkeypatch.setattr("envfreeze.compare._limits.FREE", 1 << 22)


MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)


def table(body: bytes) -> bytes:
    """A table of one block, with a right checksum."""

    def block(content: bytes) -> bytes:
        return content + b"\0" + struct.pack("<I", encoders.masked_crc(content + b"\0"))

    empty = struct.pack("<II", 0, 1)
    handle = varint(0) + varint(len(body))
    index = b"\0\1" + varint(len(handle)) + b"z" + handle + empty
    start, more = len(body) + 5, len(empty) + 5
    footer = varint(start) + varint(len(empty)) + varint(start + more) + varint(len(index))
    return block(body) + block(empty) + block(index) + footer.ljust(40, b"\0") + MAGIC


def growing_keys(last: int) -> bytes:
    """Keys that share all of the one before and add a byte: 4 bytes stand for tens of thousands."""
    body = b"".join(varint(place) + b"\1\0a" for place in range(20_000))
    return table(body + bytes([last]) + struct.pack("<II", 0, 1))


def entry(**fields: int) -> bytes:
    numbers = {"dtype": 1, "shard": 3, "offset": 4, "size": 5}
    shape = field(2, field(2, field(1, 1 << 40)))
    return shape + b"".join(field(numbers[name], value) for name, value in fields.items())


def index_of(value: bytes) -> bytes:
    return encoders.sstable({b"": field(1, 1), b"w": value})


INDEXES: dict[str, Callable[[int], bytes]] = {
    "growing keys": growing_keys,
    "outside of the shard": lambda last: index_of(entry(dtype=1, offset=1 << 40, size=8 + last)),
    "negative": lambda last: index_of(entry(dtype=1, offset=-8 - last, size=8)),
    "more elements than bytes": lambda last: index_of(entry(dtype=1, size=8, offset=0) + field(99, last)),
    "more texts than bytes": lambda last: index_of(entry(dtype=7, size=8, offset=0) + field(99, last)),
    "many shards": lambda last: encoders.sstable({b"": field(1, (1 << 31) + last)}),
    "no end": lambda last: encoders.sstable({b"": field(1, 1), b"w": b"\xff" * 20 + bytes([last])}),
    "handles outside": lambda last: bytes([last]) + (varint(1 << 60) * 4).ljust(40, b"\0") + MAGIC,
}


@pytest.mark.parametrize("kind", INDEXES)
def test_an_index_that_lies_is_different_soon(kind: str, tmp_path: Path) -> None:
    for last, side in ((1, "one"), (2, "two")):
        (tmp_path / side).mkdir()
        (tmp_path / side / "m.index").write_bytes(INDEXES[kind](last))
        (tmp_path / side / "m.data-00000-of-00001").write_bytes(b"12345678")
    began = time.monotonic()
    compared = compare_sets(side_of_folder(tmp_path / "one"), side_of_folder(tmp_path / "two"), Options())
    assert compared.verdict == "different"
    assert any("not compared as checkpoint" in output.reason for output in compared.outputs)
    assert time.monotonic() - began < 60


def model(graph: bytes, objects: bytes = b"") -> bytes:
    return field(1, 1) + field(2, field(1, b"") + field(2, graph) + field(7, objects))


def deep(last: int) -> bytes:
    inner = field(1, last)
    for _ in range(200):
        inner = field(8, field(1, inner))
    return model(inner)


def chain(last: int) -> bytes:
    """Objects that lead to each other by long names."""
    nodes = [field(1, field(1, place + 1) + field(2, "n" * 100)) for place in range(5_000)]
    return model(field(1, field(1, str(last))), b"".join(field(1, node) for node in [*nodes, b""]))


def circle(last: int) -> bytes:
    nodes = [field(1, field(1, other) + field(2, f"n{last}")) for other in (1, 0)]
    return model(b"", b"".join(field(1, node) for node in nodes))


MODELS: dict[str, Callable[[int], bytes]] = {
    "deep": deep,
    "a long chain": chain,
    "a circle": circle,
    "a reference to nothing": lambda last: model(
        b"", field(1, field(1, field(1, 1 << 40) + field(2, str(last))))
    ),
    "long names": lambda last: model(
        field(2, field(1, field(1, field(1, "__inference_" * 50_000 + str(last)))))
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_that_lies_is_different_soon(judge, kind: str) -> None:
    began = time.monotonic()
    found = judge(MODELS[kind](1), MODELS[kind](2), "saved_model.pb")
    assert found.finding.verdict == "different", found.finding.reason
    assert "failed" not in found.finding.reason
    assert time.monotonic() - began < 60


def records(length: int, last: int) -> bytes:
    header = struct.pack("<Q", length)
    return encoders.record(b"a") + header + struct.pack("<I", encoders.masked_crc(header)) + bytes([last]) * 8


@pytest.mark.parametrize("length", [1 << 60, (1 << 64) - 1, 9, 1 << 27])
def test_a_record_that_lies_about_its_length_is_different(judge, length: int) -> None:
    found = judge(records(length, 1), records(length, 2), "x.tfrecord")
    assert found.finding.verdict == "different"
    assert "not compared as tfrecord" in found.finding.reason


def catboost(core: bytes, *, length: int | None = None) -> bytes:
    return b"CBM1" + struct.pack("<I", len(core) if length is None else length) + core


def many_references(last: int) -> bytes:
    """A list of 100,000 tables that are all the same one."""
    count = 100_000
    head = struct.pack("<I", 20) + bytes(4) + struct.pack("<6H", 12, 16, 0, 0, 4, 0)
    head += struct.pack("<iI", 12, 4) + struct.pack("<I", count)
    end = len(head) + 4 * count + 4
    references = b"".join(struct.pack("<I", end - len(head) - 4 * index) for index in range(count))
    return catboost(head + references + struct.pack("<HHi", 4, 4, 4) + bytes([last]))


CATBOOST = {
    "length": lambda last: catboost(bytes([last]) * 20, length=1 << 31),
    "long length": lambda last: b"CBM1" + b"\xff" * 12 + bytes([last]) * 20,
    "reference outside": lambda last: catboost(struct.pack("<I", 1 << 31) + bytes([last]) * 20),
    "no table": lambda last: catboost(struct.pack("<Ii", 4, 1 << 30) + bytes([last]) * 20),
    "a table that is its own layout": lambda last: catboost(struct.pack("<Ii", 4, 0) + bytes([last]) * 20),
    "many references": many_references,
}


@pytest.mark.parametrize("kind", CATBOOST)
def test_a_tree_model_that_lies_is_different_soon(judge, kind: str) -> None:
    began = time.monotonic()
    found = judge(CATBOOST[kind](1), CATBOOST[kind](2), "m.cbm")
    assert found.finding.verdict == "different"
    assert "not compared as catboost" in found.finding.reason
    assert "failed" not in found.finding.reason
    assert time.monotonic() - began < 60

from __future__ import annotations

from pathlib import Path

import pytest

from envfreeze.compare.bytes import parting


@pytest.mark.parametrize(
    ("one", "two", "offset"),
    [(b"abc", b"abd", 2), (b"", b"x", 0), (b"abc", b"abcd", 3), (b"xbc", b"abc", 0)],
)
def test_first_differing_offset(judge, one: bytes, two: bytes, offset: int) -> None:
    found = judge(b"\0" + one, b"\0" + two, "model.bin")
    assert found.finding.verdict == "different"
    assert found.comparator == "bytes"
    assert f"byte {offset + 1}:" in found.finding.reason


def test_same_bytes_are_identical(judge) -> None:
    assert judge(b"\0abc", b"\0abc", "model.bin").finding.verdict == "identical"


def test_sizes_are_named(judge) -> None:
    assert "4 → 6 bytes" in judge(b"\0abc", b"\0abcde", "x").finding.reason


def test_difference_behind_the_first_chunk_is_found_in_flat_memory(tmp_path: Path) -> None:
    import tracemalloc

    size = 64 << 20
    for name, byte in (("a", b"x"), ("b", b"y")):
        with (tmp_path / name).open("wb") as stream:
            stream.seek(size)
            stream.write(byte)
    tracemalloc.start()
    found = parting(tmp_path / "a", tmp_path / "b")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == (size, ord("x"), ord("y"))
    assert peak < 8 << 20

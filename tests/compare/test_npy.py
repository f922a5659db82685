from __future__ import annotations

import io
import sys
import zipfile

import numpy as np
import pytest

from envfreeze.compare import Options
from envfreeze.compare._arrays import compare_arrays


def npy(array: np.ndarray, **settings: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **settings)
    return stream.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


BASE = np.linspace(1, 2, 60).reshape(3, 4, 5)
KINDS = ["f2", "f4", "f8", "g", "c8", "c16", "i1", "i8", "u8", "?", "U3", "S3", "M8[s]", "m8[s]"]


def sample(kind: str) -> np.ndarray:
    return np.arange(24).reshape(2, 3, 4).astype(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_element_is_different_whatever_the_type(judge, kind: str) -> None:
    one = sample(kind)
    two = one.copy()
    two[1, 2, 0] = two[1, 2, 1] if kind != "?" else not two[1, 2, 0]
    finding = judge(npy(one), npy(two), "a.npy").finding
    assert finding.verdict == "different"
    assert "1 of 24 elements" in finding.reason
    assert finding.differences[0].where == "array[1, 2, 0]"


@pytest.mark.parametrize("kind", KINDS)
def test_another_order_in_memory_is_equivalent(judge, kind: str) -> None:
    one = sample(kind)
    assert judge(npy(one), npy(np.asfortranarray(one)), "a.npy").finding.verdict == "equivalent"


@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "c16", "U3"])
def test_another_byte_order_is_equivalent(judge, kind: str) -> None:
    one = sample(kind)
    swapped = one.astype(one.dtype.newbyteorder("S"))
    found = judge(npy(one), npy(swapped), "a.npy")
    assert (found.comparator, found.finding.verdict) == ("npy", "equivalent")


@pytest.mark.parametrize(
    ("two", "word"),
    [
        (BASE.astype("f4"), "type float64 → float32"),
        (BASE.reshape(60), "shape"),
        (BASE[:2], "shape"),
        (BASE * -1, "60 of 60"),
        (np.where(BASE > 1.9, np.nan, BASE), "of 60"),
        (np.where(BASE > 1.9, np.inf, BASE), "of 60"),
    ],
)
def test_harmful_changes_are_different(judge, two: np.ndarray, word: str) -> None:
    finding = judge(npy(BASE), npy(two), "a.npy").finding
    assert finding.verdict == "different"
    assert word in finding.reason


def test_infinity_is_close_to_nothing(judge) -> None:
    one = np.array([np.inf, 1.0])
    finding = judge(npy(one), npy(np.array([5.0, 1.0])), "a.npy", rtol=0.5).finding
    assert finding.verdict == "different"


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_one_ulp_is_close_and_counted(judge, kind: str) -> None:
    one = np.ones(8, dtype=kind)
    two = one.copy()
    two[3] = np.nextafter(one[3], np.array(2, dtype=kind))
    finding = judge(npy(one), npy(two), "a.npy").finding
    assert finding.verdict == "close"
    assert "1 of 8" in finding.reason
    assert "1 ULP" in finding.reason
    assert "[3]" in finding.reason


def test_negative_zero_is_close(judge) -> None:
    finding = judge(npy(np.array([0.0])), npy(np.array([-0.0])), "a.npy").finding
    assert finding.verdict == "close"


def test_largest_error_is_named_among_those_beyond_the_tolerance(judge) -> None:
    finding = judge(npy(np.array([1e-300, 1.0, 2.0])), npy(np.array([9e-300, 1.5, 2.0])), "a.npy").finding
    assert "2 of 3 elements differ, 1 of them beyond" in finding.reason
    assert "[1] 1.0 → 1.5" in finding.reason


def test_integers_are_exact_unless_a_tolerance_is_given(judge) -> None:
    one, two = np.array([2**63 - 1, 5]), np.array([-(2**63), 5])
    assert judge(npy(one), npy(two), "a.npy").finding.verdict == "different"
    assert judge(npy(one), npy(two), "a.npy", rtol=1.0).finding.verdict == "different"
    near = np.array([2**63 - 2, 5])
    assert judge(npy(one), npy(near), "a.npy").finding.verdict == "different"
    assert judge(npy(one), npy(near), "a.npy", atol=1.0).finding.verdict == "close"


def test_structured_arrays(judge) -> None:
    one = np.zeros(4, dtype=[("a", "f8"), ("b", "i4", (2,))])
    two = one.copy()
    two["b"][2, 1] = 7
    assert judge(npy(one), npy(two), "a.npy").finding.differences[0].where == "array[2]"


def test_scalars_and_empty_arrays(judge) -> None:
    assert judge(npy(np.array(1.0)), npy(np.array(2.0)), "a.npy").finding.verdict == "different"
    assert judge(npy(np.zeros((0, 3))), npy(np.zeros((0, 4))), "a.npy").finding.verdict == "different"


def test_blocks_cover_all_and_name_the_right_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envfreeze.compare._arrays.BLOCK", 7)
    shape = (3, 4, 5)
    for place in np.ndindex(*shape):
        one, two = np.ones(shape), np.ones(shape)
        two[place] = 3
        finding = compare_arrays("x", one, two, Options())
        assert finding.differences[0].where == f"x{list(place)}"


def test_pickled_objects_are_never_loaded(judge) -> None:
    one, two = (npy(np.array([value], dtype=object), allow_pickle=True) for value in ("a", "b"))
    found = judge(one, two, "a.npy")
    assert found.comparator == "bytes"
    assert found.finding.verdict == "different"


def test_a_damaged_file_falls_back_to_bytes(judge) -> None:
    found = judge(npy(BASE), npy(BASE)[:-9], "a.npy")
    assert (found.comparator, found.finding.verdict) == ("bytes", "different")


def test_without_numpy_bytes_decide_and_the_reason_says_so(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = npy(BASE), npy(BASE + 1e-12)
    monkeypatch.setitem(sys.modules, "numpy", None)
    found = judge(one, two, "a.npy")
    assert (found.comparator, found.finding.verdict) == ("bytes", "different")
    assert "numpy is not installed" in found.finding.reason


def test_npz_by_array(judge) -> None:
    one = npz(a=BASE, b=np.arange(3))
    finding = judge(one, npz(a=BASE, b=np.array([0, 1, 5])), "w.npz").finding
    assert finding.verdict == "different"
    assert finding.reason.startswith("b: 1 of 3")
    assert judge(one, npz(a=BASE), "w.npz").finding.reason == "b only in the original: an array"
    other = npz(b=np.arange(3), a=BASE)
    assert judge(one, other, "w.npz").finding.verdict == "equivalent"


def test_compressed_and_plain_npz_are_equivalent(judge) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, a=BASE)
    assert judge(npz(a=BASE), stream.getvalue(), "w.npz").finding.verdict == "equivalent"


def test_a_zip_bomb_is_not_unpacked(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envfreeze.compare._limits.FREE", 1000)
    files = []
    for fill in (0, 1):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.npy", npy(np.full(1_000_000, fill)))
        files.append(stream.getvalue())
    found = judge(*files, "w.npz")
    assert found.comparator == "bytes"
    assert "unpack" in found.finding.reason

"""Models as CatBoost 1.2.10 wrote them, trained twice on the same data with the same seed."""

from __future__ import annotations

import lzma
import struct
from pathlib import Path

import pytest


def real(number: int) -> bytes:
    return lzma.decompress((Path(__file__).parent / "data" / f"catboost_{number}.cbm.xz").read_bytes())


def test_two_trainings_differ_in_identifier_and_time(judge) -> None:
    found = judge(real(1), real(2), "m.cbm")
    assert (found.comparator, found.finding.verdict) == ("catboost", "equivalent")
    assert found.finding.set_aside == ("identifier of the model: 1 place", "time of the training: 1 place")


def changed(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data and len(old) == len(new)
    return data.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (struct.pack("<f", 15.0), struct.pack("<f", 14.0), "Scale 15 → 14"),
        (b'"iterations":3', b'"iterations":4', "iterations 3 → 4"),
        (b'"depth":2', b'"depth":3', "depth 2 → 3"),
    ],
)
def test_what_changed_is_named(judge, old: bytes, new: bytes, words: str) -> None:
    found = judge(real(1), changed(real(1), old, new), "m.cbm")
    assert (found.comparator, found.finding.verdict) == ("catboost", "different")
    assert words in found.finding.reason


def test_a_bit_in_the_tables_of_categories_counts(judge) -> None:
    two = bytearray(real(1))
    two[-30] ^= 1
    found = judge(real(1), bytes(two), "m.cbm")
    assert (found.comparator, found.finding.verdict) == ("catboost", "different")
    assert "model.parts" in found.finding.reason


def test_no_bit_of_a_leaf_is_equivalent(judge) -> None:
    """Bit flips all over the file: what is called equivalent is padding, identifier or time."""
    one = real(1)
    equivalent = 0
    for place in range(8, len(one), 41):
        two = bytearray(one)
        two[place] ^= 0x40
        equivalent += judge(one, bytes(two), "m.cbm").finding.verdict == "equivalent"
    assert equivalent <= 4

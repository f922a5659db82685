"""Which spellings of an identity are found, and what stands in for them."""

from __future__ import annotations

import json
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.anonymous.identities import Identity
from envfreeze.anonymous.names import Names

NAMES = Names(
    [
        Identity(text="Jane Doe", what="name"),
        Identity(text="jane.doe@inf.ethz.ch", what="e-mail"),
        Identity(text="eric7", what="user", anywhere=False),
        Identity(text="erich", what="user", anywhere=False),
        Identity(text="José García", what="name"),
        Identity(text="王小明", what="name"),
        Identity(text="/data/lab42/jane", what="home", kept=frozenset({"data"})),
        Identity(text="0123456789abcdef0123456789abcdef", what="machine"),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "Jane Doe", "JANE DOE", "jane_doe", "janeDoe", "Doe, Jane", "J. Doe", "Jane\nDoe", "Jane%20Doe",
        "jane.doe@inf.ethz.ch", "jane.doe%40inf.ethz.ch", "jane.doe [at] inf.ethz.ch",
        "jane.doe&#64;inf.ethz.ch",
        "/home/eric7/x", "\\neric7", "%2Feric7", "eric7-laptop", "ERIC7", "_erich_", "by erich.",
        "josé garcía", "JOSÉ GARCÍA", "Jose Garcia", "García, José", json.dumps("José García"),
        urllib.parse.quote("José García"), "Jos&#233; Garc&#xed;a", "Jos=C3=A9 Garc=C3=ADa",
        "王小明", "/data/lab42/jane/x", "id=0123456789abcdef0123456789abcdef",
    ],
)  # fmt: skip
@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-16-be", "utf-32", "latin-1"])
def test_a_spelling_is_found_and_replaced_by_as_many_bytes(text: str, codec: str) -> None:
    data = f"before {text} after".encode(codec, "ignore")
    escaped = not text.isascii() or any(mark in text for mark in "%\\&=[\n")
    if codec != "utf-8" and (escaped or "王" in text):
        return  # escapes are ASCII text, and not every name can be written in Latin-1
    made = NAMES.replaced(data)
    assert made is not None and len(made) == len(data)
    assert not list(NAMES.matches(made))
    plain = made.decode(codec)
    assert plain.startswith("before ") and plain.endswith(" after")


@pytest.mark.parametrize("text", ["José García", "JOSÉ GARCÍA"])
@pytest.mark.parametrize("codec", ["latin-1", "utf-16-le", "utf-32-be"])
def test_names_with_accents_are_found_in_other_encodings(text: str, codec: str) -> None:
    made = NAMES.replaced(f"x {text} y".encode(codec))
    assert made is not None and text[:3] not in made.decode(codec)


@pytest.mark.parametrize("text", ["numeric70", "generich", "derich", "Jane and Doe", "does jane", "jane"])
def test_words_that_only_look_alike_stay(text: str) -> None:
    assert NAMES.text(text) == text


def test_the_same_name_has_the_same_stand_in_everywhere_and_no_other_has_it() -> None:
    first, last = NAMES.text("Jane Doe").split()
    assert NAMES.text("/data/lab42/jane/x").split("/")[3] == first.lower()
    assert NAMES.text("JANE.DOE@INF.ETHZ.CH").split("@")[0] == f"{first}.{last}".upper()
    stand_ins = [NAMES.text(name) for name in ("eric7", "erich")]
    assert len({*stand_ins, "eric7", "erich"}) == 4


def test_chance_in_digests_and_in_base64_stays_as_it_is() -> None:
    names = Names([Identity(text="cafe", what="x"), Identity(text="Anna", what="x")])
    digest = "ab" * 10 + "cafe" + "12" * 20
    packed = "Zm9vYmFyQmF6UXV4MTIzNDU2Nzg5MEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZX" + "aNnA" + "WFlaYWJjZGVm" * 4
    for text in (digest, packed):
        assert names.text(text) == text
    assert names.text("the cafe of Anna") != "the cafe of Anna"


def test_numbers_in_binary_data_stay_as_they_are() -> None:
    """A name of four letters turns up by chance in gigabytes of floats, which must not change."""
    names = Names([Identity(text="anna", what="x")])
    data = bytes([0x9A, 0x00, 0xFF]) * 40 + b"\x83aNnA\x91" + bytes([0x9A, 0x80, 0x01]) * 40
    assert names.replaced(data) is None
    pickled = b"\x80\x04\x95\x08\0\0\0\0\0\0\0\x8c\x04anna\x94."
    assert names.replaced(pickled) is not None


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(st.text("abcdefgäéßøж王λ", min_size=2, max_size=8), min_size=1, max_size=3),
    before=st.text("0123456789 .-%\n", max_size=20),
    after=st.text("0123456789 .-%\n", max_size=20),
)
def test_any_name_is_gone_afterwards_and_nothing_else_has_changed(
    words: list[str], before: str, after: str
) -> None:
    name = " ".join(words)
    if len(name) < 4:
        return
    names = Names([Identity(text=name, what="x")])
    data = f"{before} {name} {after}".encode()
    made = names.replaced(data)
    assert made is not None and len(made) == len(data)
    assert name.encode() not in made
    assert made.startswith(before.encode()) and made.endswith(after.encode())

"""Event files whose names hold time, host and process."""

from __future__ import annotations

from pathlib import Path

from envfreeze.compare import Options
from envfreeze.compare.outputs import Side, compare_sets

from .test_outputs import verdicts

ONE, TWO = "logs/events.out.tfevents.1700000009.a.b.12.0", "logs/events.out.tfevents.1800000000.c.7.0"
LATER = "logs/events.out.tfevents.1800000001.c.7.1"


def side(root: Path, **contents: str) -> Side:
    root.mkdir()
    files = {}
    for number, (name, content) in enumerate(contents.items()):
        files[name] = root / str(number)
        files[name].write_text(content)
    return Side(label=root.name, files=files)


def test_counterparts_are_compared_and_both_names_told(tmp_path: Path) -> None:
    one, two = side(tmp_path / "a", **{ONE: "x"}), side(tmp_path / "b", **{TWO: "x"})
    (output,) = compare_sets(one, two, Options()).outputs
    assert (output.path, output.verdict.value) == (ONE, "equivalent")
    assert TWO in output.reason
    (changed,) = compare_sets(one, side(tmp_path / "c", **{TWO: "y"}), Options()).outputs
    assert changed.verdict.value == "different"


def test_several_in_order_of_time_as_a_number(tmp_path: Path) -> None:
    early = "logs/events.out.tfevents.999999999.a.3.0"
    one = side(tmp_path / "a", **{ONE: "second", early: "first"})
    two = side(tmp_path / "b", **{LATER: "second", TWO: "first"})
    assert verdicts(compare_sets(one, two, Options())) == {early: "equivalent", ONE: "equivalent"}


def test_not_paired_when_one_more_is_there(tmp_path: Path) -> None:
    one = side(tmp_path / "a", **{ONE: "x"})
    found = verdicts(compare_sets(one, side(tmp_path / "b", **{TWO: "x", LATER: "y"}), Options()))
    assert found == {ONE: "missing", TWO: "extra", LATER: "extra"}


def test_not_paired_across_folders_endings_or_other_names(tmp_path: Path) -> None:
    one = side(tmp_path / "a", **{ONE: "x", "model-1.pt": "x"})
    elsewhere = TWO.replace("logs", "other")
    found = verdicts(
        compare_sets(one, side(tmp_path / "b", **{elsewhere: "x", "model-2.pt": "x"}), Options())
    )
    assert sorted(found.values()) == ["extra", "extra", "missing", "missing"]
    found = verdicts(compare_sets(side(tmp_path / "c", **{ONE: "x"}),
                                  side(tmp_path / "d", **{TWO + ".v2": "x"}), Options()))  # fmt: skip
    assert sorted(found.values()) == ["extra", "missing"]


def test_what_cannot_be_had_stays_uncompared(tmp_path: Path) -> None:
    two = side(tmp_path / "b", **{TWO: "x"})
    found = compare_sets(Side(label="a"), two, Options(), uncompared={ONE: "too large to keep"})
    assert verdicts(found)[TWO] == "extra"
    assert ONE in verdicts(found)

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.compare import Options
from envfreeze.compare._numbers import Agreement, agreement
from envfreeze.compare.text import compare

LOG = """\
INFO 2024-03-05 12:00:00,123 epoch 1 of 3
epoch 1: loss=0.693147 accuracy: 0.9722
elapsed: 3.2 s
model <Net object at 0x7f0123456789>
saved to /home/ada/project/out/model.bin with torch 1.10.0
label cat
"""

HARMFUL = [
    ("0.693147", "0.693148"),
    ("0.9722", "0.9694"),
    ("0.9722", "nan"),
    ("of 3", "of 4"),
    ("label cat", "label dog"),
    ("label cat\n", ""),
    ("label cat", "label  cat"),
    ("label cat\n", "label cat\nlabel cat\n"),
    ("1.10.0", "1.1.0"),
    ("accuracy: 0.9722", "accuracy: 0,9722"),
    ("loss=0.693147", "loss=-0.693147"),
    ("elapsed: 3.2 s", "elapsed: 3.2 steps"),
    ("INFO", "ERROR"),
    ("/home/ada/project/out", "/home/ada/projects/out"),
    ("<Net object", "<Nut object"),
    ("loss=", "l0ss="),
]


@pytest.mark.parametrize(("before", "after"), HARMFUL)
def test_harmful_changes_are_different(judge, before: str, after: str) -> None:
    aliases = (("project folder", "/home/ada/project", "/replay/project"),)
    assert before in LOG
    found = judge(LOG, LOG.replace(before, after), "train.log", aliases=aliases)
    assert found.finding.verdict == "different", found
    assert found.comparator == "text"


BENIGN = [
    ("12:00:00,123", "13:00:01,456", "time of a log line"),
    ("2024-03-05", "2026-01-09", "time of a log line"),
    ("elapsed: 3.2 s", "elapsed: 14 s", "elapsed time"),
    ("0x7f0123456789", "0x7f0123abcdef", "memory address"),
    ("/home/ada/project/out", "/replay/project/out", "project folder"),
    ("of 3\n", "of 3 \r\n", "line ends"),
    ("label cat\n", "label cat", "line ends"),
    ("label cat\n", "label cat\n\n\n", "blank lines"),
]


@pytest.mark.parametrize(("before", "after", "rule"), BENIGN)
def test_listed_non_results_are_equivalent(judge, before: str, after: str, rule: str) -> None:
    aliases = (("project folder", "/home/ada/project", "/replay/project"),)
    finding = judge(LOG, LOG.replace(before, after), "train.log", aliases=aliases).finding
    assert finding.verdict == "equivalent", finding
    assert any(rule in item for item in finding.set_aside)


def test_number_within_tolerance_is_close_and_named(judge) -> None:
    finding = judge(LOG, LOG.replace("0.693147", "0.69314701"), "x").finding
    assert finding.verdict == "close"
    assert "rtol 1e-07" in finding.reason
    assert "0.693147 → 0.69314701" in finding.reason


def test_reason_names_line_label_and_both_values(judge) -> None:
    finding = judge(LOG, LOG.replace("0.9722", "0.9694"), "x").finding
    assert "line 2" in finding.reason
    assert "accuracy" in finding.reason
    assert "0.9722 → 0.9694" in finding.reason


def test_inserted_and_removed_lines_are_named(judge) -> None:
    lines = [f"row {letter} is fine" for letter in "abcdefgh"]
    more = [*lines[:3], "a new line", *lines[3:]]
    inserted = judge("\n".join(lines), "\n".join(more), "x").finding
    assert inserted.verdict == "different"
    assert [item.replay for item in inserted.differences] == ["a new line"]
    assert "only in the replay" in inserted.reason
    removed = judge("\n".join(more), "\n".join(lines), "x").finding
    assert [item.original for item in removed.differences] == ["a new line"]
    assert "line 4" in removed.reason


def test_times_of_a_series_are_data(judge) -> None:
    series = "2024-01-01 00:00:00 1.5\n2024-01-02 00:00:00 1.6\n2024-01-03 00:00:00 1.7\n"
    assert judge(series, series.replace("01-02", "01-09"), "x").finding.verdict == "different"


def test_a_log_that_was_appended_to_is_equivalent(judge) -> None:
    old = "[2024-01-01 00:00:00] start\n"
    one, two = old + "[2024-01-02 00:00:00] again\n", old + "[2025-07-02 00:11:00] again\n"
    assert judge(one, two, "x").finding.verdict == "equivalent"


@pytest.mark.parametrize(
    "line",
    ["best day: 2024-01-0{}", "took {} steps", "score 12:30:0{}", "rate {} it/s", "predicted duration: {} s"],
)
def test_results_that_look_like_times_are_compared(judge, line: str) -> None:
    assert judge(line.format(1), line.format(2), "x").finding.verdict == "different"


def test_alias_is_a_whole_path_and_has_a_direction(judge) -> None:
    aliases = (("prefix", "/usr", "/env"),)
    assert judge("in /usr/lib", "in /env/lib", "x", aliases=aliases).finding.verdict == "equivalent"
    assert judge("in /usrx/lib", "in /envx/lib", "x", aliases=aliases).finding.verdict == "different"
    assert judge("in /env/lib", "in /usr/lib", "x", aliases=aliases).finding.verdict == "different"
    mixed = judge("/usr/a /usr/b", "/usr/a /env/b", "x", aliases=aliases)
    assert mixed.finding.verdict == "equivalent"


def test_integers_are_exact_unless_a_tolerance_is_given(judge) -> None:
    assert judge("n 1000000000", "n 1000000001", "x").finding.verdict == "different"
    assert judge("n 1000000000", "n 1000000001", "x", rtol=1e-6).finding.verdict == "close"


def test_words_made_of_digits_are_no_numbers(judge) -> None:
    for one, two in [("id 007", "id 7"), ("v1.10", "v1.1"), ("a3e2", "a300"), ("1.2.30", "1.2.3")]:
        assert judge(one, two, "x", rtol=1.0).finding.verdict == "different", (one, two)


def test_broken_utf8_falls_back_to_bytes_with_a_word(judge) -> None:
    head = "fine\n" * 20000
    found = judge(head.encode() + b"\xff", head.encode() + b"\xfe", "x")
    assert found.comparator == "bytes"
    assert "not UTF-8" in found.finding.reason
    assert found.finding.verdict == "different"


def test_long_lines_and_many_lines_need_little_memory(tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    with one.open("w") as first, two.open("w") as second:
        for number in range(60_000):
            text = f"step {number} " + "x" * 150
            first.write(text + "\n")
            second.write(text + ("\n" if number < 59_990 else " \n"))
    tracemalloc.start()
    finding = compare(one, two, Options())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert finding.verdict == "equivalent"
    assert peak < 4 << 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit", ["1 ", "1.", "created ", "created" + " " * 500, "took ", "a=1/", "1" * 99 + "x"]
)
def test_one_hostile_line_does_not_take_forever(judge, unit: str) -> None:
    line = unit * (150_000 // len(unit))
    assert judge(line + "a", line + "b", "x").finding.verdict == "different"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_equals_its_other_spellings(value: float) -> None:
    for text in (f"{value:.17g}", f"{value:.17e}", f"{value!r}"):
        assert agreement(repr(value), text, Options())[0] is not Agreement.DIFFERENT


@given(st.floats(1e-3, 1e300), st.floats(1e-5, 10), st.booleans())
def test_a_relative_change_above_tolerance_is_different(value: float, change: float, negative: bool) -> None:
    sign = -1 if negative else 1
    one, two = repr(sign * value), repr(sign * value * (1 + change))
    assert agreement(one, two, Options())[0] is Agreement.DIFFERENT
    assert agreement(one, one[1:] if negative else f"-{one}", Options())[0] is Agreement.DIFFERENT


@given(st.integers(), st.integers())
def test_integers_agree_exactly(one: int, two: int) -> None:
    expected = Agreement.EQUAL if one == two else Agreement.DIFFERENT
    assert agreement(str(one), str(two), Options())[0] is expected


@pytest.mark.parametrize(
    ("one", "two", "how"),
    [
        ("nan", "NaN", Agreement.EQUAL),
        ("inf", "-inf", Agreement.DIFFERENT),
        ("inf", "1e308", Agreement.DIFFERENT),
        ("nan", "0.0", Agreement.DIFFERENT),
        ("0.0", "-0.0", Agreement.CLOSE),
        ("1e-8", "5e-8", Agreement.DIFFERENT),
        ("1" * 5000, "1" * 4999 + "2", Agreement.DIFFERENT),
        ("1e999999999", "1e999999998", Agreement.DIFFERENT),
        ("1e99999999999999999999", "2e99999999999999999999", Agreement.DIFFERENT),
    ],
)
def test_numbers_at_the_edges(one: str, two: str, how: Agreement) -> None:
    assert agreement(one, two, Options())[0] is how

from __future__ import annotations

import pytest

TABLE = """\
id,date,loss,label,wall_time
1,2024-01-01,0.5,cat,3.5
2,2024-01-02,0.25,"dog, big",4.5
3,2024-01-03,nan,007,5.5
"""

HARMFUL = [
    ("0.25", "0.26"),
    ("0.25", ""),
    ("0.25", "nan"),
    ("nan", "0.0"),
    ("cat", "dog"),
    ("2024-01-02", "2024-01-05"),
    ("007", "7"),
    ("007", " 007"),
    ("2,2024-01-02", "4,2024-01-02"),
    ('2,2024-01-02,0.25,"dog, big",4.5\n', ""),
    ("4.5\n", "4.5\n9,2024-01-09,1,ant,1\n"),
    ("cat,3.5", "cat,3.5,more"),
    ("loss", "gain"),
    ("3.5", "-3.5"),
    ("loss,label", "label,loss"),
]


@pytest.mark.parametrize(("before", "after"), HARMFUL)
def test_harmful_changes_are_different(judge, before: str, after: str) -> None:
    assert before in TABLE
    assert judge(TABLE, TABLE.replace(before, after), "t.csv").finding.verdict == "different"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cat", '"cat"'),
        ("\n", "\r\n"),
        ("0.25", "0.250"),
        ("0.25", "2.5E-1"),
        ("nan", "NaN"),
        ("4.5", "99.5"),
        ("5.5\n", "5.5"),
        ("5.5\n", "5.5\n\n"),
        ("id,", "\ufeffid,"),
    ],
)
def test_benign_changes_are_equivalent(judge, before: str, after: str) -> None:
    found = judge(TABLE, TABLE.replace(before, after), "t.csv")
    assert found.finding.verdict == "equivalent", found
    assert found.comparator == "csv"


def test_durations_in_a_table_are_data(judge) -> None:
    assert judge("id,elapsed\na,1.5\n", "id,elapsed\na,2.5\n", "t.csv").finding.verdict == "different"


def test_row_and_column_are_named(judge) -> None:
    finding = judge(TABLE, TABLE.replace("0.25", "0.26"), "t.csv").finding
    assert finding.reason == "row 3, column loss 0.25 → 0.26"


def test_close_numbers(judge) -> None:
    finding = judge(TABLE, TABLE.replace("0.25", "0.2500000001"), "t.csv").finding
    assert finding.verdict == "close"
    assert "row 3, column loss" in finding.reason


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_delimiters(judge, separator: str) -> None:
    one = f"a{separator}b\n1{separator}2\n"
    found = judge(one, one.replace("2", "3"), "t.tsv")
    assert found.comparator == "csv"
    assert "column b" in found.finding.reason


def test_another_delimiter_is_no_equal_table(judge) -> None:
    assert judge("a,b\n1,2\n", "a;b\n1;2\n", "t.csv").finding.verdict == "different"


def test_a_table_without_header_names_the_column_by_number(judge) -> None:
    assert "row 2, column 2" in judge("1,2\n3,4\n", "1,2\n3,5\n", "t.csv").finding.reason


def test_unequal_rows_are_text(judge) -> None:
    found = judge("a,b\nhello\n", "a,b\nhullo\n", "t.csv")
    assert (found.comparator, found.finding.verdict) == ("text", "different")

"""Claims are read exactly, decided exactly, and never better than what the outputs say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies

from envfreeze.claims import judge
from envfreeze.claims._evaluate import evaluate
from envfreeze.claims._parse import ClaimError, parse
from envfreeze.claims.read import loads
from envfreeze.compare import Options
from envfreeze.compare.outputs import compare_sets
from envfreeze.compare.sides import Side
from envfreeze.errors import InputError
from envfreeze.records.comparison import Comparison
from envfreeze.records.verdict import Verdict


def outputs(folder: Path, accuracy: object = 0.94, ours: float = 0.83) -> Side:
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps({"accuracy": accuracy, "our net": {"n": 10}, "zero": 0}))
    (folder / "table-2.csv").write_text(f"method,f1\nbase,0.82\nours,{ours}\n")
    (folder / "printed").write_text("loss: 0.5\n")
    files = {"results/metrics.json": folder / "metrics.json", "table-2.csv": folder / "table-2.csv"}
    return Side(label="the run", files=files, stdout=folder / "printed", exit_status=0)


M = "results/metrics.json"


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        (f"{M}:accuracy >= 0.93", True),
        (f"{M}: accuracy>=0.93", True),
        (f"{M}:accuracy >= 94%", True),
        (f"{M}:accuracy > 0.94", False),
        (f"{M}:accuracy > 0.93 by 0.01", True),
        (f"{M}:accuracy > 0.93 by 0.0100001", False),
        (f"{M}:accuracy < 0.95 by 0.01", True),
        (f"{M}:accuracy in [0.94, 1]", True),
        (f"{M}:accuracy in (0.94, 1]", False),
        (f"{M}:accuracy in [0, 0.94)", False),
        (f"{M}:accuracy ~= 0.93 within 0.01", True),
        (f"{M}:accuracy ~= 0.93 within 0.5%", False),
        ("table-2.csv: method=ours.f1 > method=base.f1 by 0.01", True),
        ("table-2.csv:method=ours.f1 - method=base.f1 == 0.01", True),
        (f"table-2.csv:method=ours.f1 < {M}:accuracy", True),
        ("table-2.csv: [0].f1 == 0.82", True),
        ("table-2.csv:[-1].f1 > [0].f1 by 0.01", True),
        ("table-2.csv:[ 1 ].f1 in [0.83, 1]", True),
        ("0.82 < table-2.csv:[1].f1", True),
        ("table-2.csv:[2].f1 > 0", None),
        ("table-2.csv:[0] > 0", None),
        (f'{M}:"our net".n == 10 and accuracy > 0.9', True),
        (f'"{M}":accuracy / zero > 1 or accuracy > 0.9', True),
        (f"{M}:accuracy / zero > 1 and accuracy > 0.9", None),
        (f"{M}:accuracy / zero > 1 and accuracy > 0.99", False),
        (f"not {M}:accuracy > 0.99 and (accuracy > 0.9 or accuracy < 0.1)", True),
        (f"({M}:accuracy + 0.06) * 2 == 2", True),
        (f"(({M}:accuracy) > 0.9)", True),
        (f"max({M}:accuracy, zero, -3) == 0.94 and abs(zero - 1) == 1 and min(1, 2) == 1", True),
        ("<stdout>:loss <= 0.5", True),
        (f"{M}:recall > 0", None),
        ("nothing.json:recall > 0", None),
        ("not nothing.json:recall > 0", None),
    ],
)
def test_what_a_claim_says(claim: str, holds: bool | None, tmp_path: Path) -> None:
    answer = evaluate(parse(claim), outputs(tmp_path / "run"))
    assert answer.holds is holds, answer.reason


@pytest.mark.parametrize("claim", [f"{M}:accuracy < 2", f"not {M}:accuracy > 2", f"{M}:accuracy != 0.9"])
def test_nothing_holds_of_what_is_no_number(claim: str, tmp_path: Path) -> None:
    answer = evaluate(parse(claim), outputs(tmp_path / "run", float("nan")))
    assert answer.holds is False
    assert "no finite number" in answer.reason


WRONG = [
    ("a.json:x", 8, "a comparison such as >="),
    ("accuracy > 1", 0, "which file is accuracy in?"),
    ("a.json:x > ", 11, "there is the end"),
    ("a.json:x in [1, 2", 17, "']' or ')'"),
    ("a.json:x ~= 3", 13, "'within'"),
    ("a.json:x > 1 and", 16, "there is the end"),
    ("a.json:x > 1 y", 13, "'and', 'or' or the end"),
    ("a.json:x == 1 by 2", 14, "write ~= and within"),
    ("a.json:x > __import__('os')", 22, 'there is "\'"'),
    ("a.json:x; 1", 8, "there is ';'"),
    ("abs(a.json:x, 1) > 1", 0, "abs takes one"),
    ("(" * 200 + "a.json:x > 1" + ")" * 200, None, "nested deeper"),
    ("not " * 500 + "a.json:x > 1", None, "nested deeper"),
    ("a.json:x > 1" + " " * 5000, 4000, "at most 4000"),
]


@pytest.mark.parametrize(("claim", "place", "words"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_claim_says_where(claim: str, place: int | None, words: str) -> None:
    with pytest.raises(ClaimError) as raised:
        parse(claim)
    assert words in str(raised.value)
    assert place is None or raised.value.place == place


@given(strategies.text(alphabet="a.json:x><=~ ()[]0123,%-+*/andorti\"'\\", max_size=60))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    try:
        parse(text)
    except ClaimError as error:
        assert 0 <= error.place <= len(text)


FILE = """\
claims:
  - id: accuracy
    location: Table 2
    text: The net reaches 93 %.
    holds: results/metrics.json:accuracy >= 0.93
  - id: ours-wins
    holds: "table-2.csv: method=ours.f1 > method=base.f1 by 0.01"
"""

WRONG_FILES = [
    ("", "claims.yaml: a file of claims starts with"),
    ("- 1", "line 1, column 1: a file of claims starts with"),
    ("claims: []", "line 1, column 9: 'claims' must be a list"),
    ("claim: []", "line 1, column 1: a file of claims starts with"),
    (FILE.replace("id: ours-wins", "id: accuracy"), "line 6, column 5: the id 'accuracy' is used twice"),
    (FILE.replace("location:", "place:"), "line 3, column 5: a claim has no field 'place'"),
    (FILE.replace("id: accuracy", "ident: a"), "line 2, column 5: a claim has no field 'ident'"),
    (FILE.replace(">= 0.93", ">= what?"), "line 5, column 49: claim 'accuracy': "),
    (FILE.replace("by 0.01", "by"), "line 7, column 60: claim 'ours-wins': a number or a name"),
    ("claims: [&a {id: x, holds: *a}]", "anchors and aliases"),
    ("claims: [{id: x}]", "line 1, column 10: this claim has no 'holds'"),
    ("claims: [{id: x, holds: [1]}]", "column 25: 'holds' must be a text"),
    ("claims: [{id: x, id: y, holds: a}]", "column 18: 'id' is written twice"),
    ("{", "line 1, column 2"),
    ("[" * 5000, "claims.yaml"),
]


@pytest.mark.parametrize(("text", "words"), WRONG_FILES, ids=range(len(WRONG_FILES)))
def test_a_wrong_file_says_line_and_column(text: str, words: str) -> None:
    with pytest.raises(InputError) as raised:
        loads(text.encode())
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def judged(tmp_path: Path, *, first: dict[str, object], second: dict[str, object]) -> Comparison:
    one, two = outputs(tmp_path / "one", **first), outputs(tmp_path / "two", **second)
    comparison = compare_sets(one, two, Options())
    return judge.with_claims(comparison, judge.check(loads(FILE.encode()), one, two))


def test_other_numbers_with_all_claims_are_the_same_conclusion(tmp_path: Path) -> None:
    found = judged(tmp_path, first={}, second={"accuracy": 0.95, "ours": 0.84})
    assert found.verdict is Verdict.SAME_CONCLUSION
    assert [claim.replay for claim in found.claims] == [True, True]
    assert not found.verdict.satisfies(Verdict.EQUIVALENT)
    reasons = [item.reason for item in found.outputs if item.verdict is Verdict.SAME_CONCLUSION]
    assert len(reasons) == 2
    assert all("all 2 claims hold in both runs" in reason for reason in reasons)


def test_the_same_outputs_stay_identical(tmp_path: Path) -> None:
    assert judged(tmp_path, first={}, second={}).verdict is Verdict.IDENTICAL


@pytest.mark.parametrize(
    ("first", "second", "verdict", "words"),
    [
        (
            {},
            {"accuracy": 0.92},
            Verdict.DIFFERENT,
            "(Table 2) does not hold any more: results/metrics.json:",
        ),
        ({"accuracy": 0.92}, {}, Verdict.DIFFERENT, "holds in the replay only"),
        ({"accuracy": 0.92}, {"accuracy": 0.91}, Verdict.DIFFERENT, "holds in neither run"),
        ({"accuracy": 0.92}, {"accuracy": 0.92}, Verdict.UNCOMPARED, "holds in neither run"),
        ({}, {"accuracy": None}, Verdict.DIFFERENT, "cannot be decided for the replay"),
        ({"accuracy": None}, {"accuracy": None}, Verdict.UNCOMPARED, "accuracy is no number"),
    ],
)
def test_a_claim_that_does_not_hold_is_named(
    first: dict[str, object], second: dict[str, object], verdict: Verdict, words: str, tmp_path: Path
) -> None:
    found = judged(tmp_path, first=first, second=second)
    assert found.verdict is verdict
    row = next(item for item in found.outputs if item.path == "<claim accuracy>")
    assert row.counts
    assert words in row.reason
    assert not any(item.verdict is Verdict.SAME_CONCLUSION for item in found.outputs)


def test_claims_lift_neither_a_lost_output_nor_the_exit_status(tmp_path: Path) -> None:
    one, two = outputs(tmp_path / "one"), outputs(tmp_path / "two", 0.95)
    claims = loads(FILE.encode())
    (tmp_path / "model").write_text("m")
    with_model = Side(label="original", files=one.files | {"model": tmp_path / "model"}, stdout=one.stdout)
    lost = judge.with_claims(compare_sets(with_model, two, Options()), judge.check(claims, with_model, two))
    assert lost.verdict is Verdict.MISSING
    failed = Side(label="replay", files=two.files, stdout=two.stdout, exit_status=1)
    found = judge.with_claims(compare_sets(one, failed, Options()), judge.check(claims, one, failed))
    assert found.verdict is Verdict.DIFFERENT

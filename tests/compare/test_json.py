from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.compare import Options
from envfreeze.compare._tree import Number, compare_trees
from envfreeze.compare.json_ import _object

METRICS = {
    "accuracy": 0.9722,
    "loss": [0.5, 0.25, None],
    "n": 3,
    "big": 12345678901234567890123,
    "name": "forest",
    "ok": True,
    "nested": {"a": {"b": [1, 2, {"c": "x"}]}, "empty": {}, "none": None},
    "date": "2024-03-05T12:00:00",
    "path": "/home/ada/project/out",
}


def changed(**changes: object) -> str:
    return json.dumps({**METRICS, **changes})


HARMFUL = {
    "metric": changed(accuracy=0.9694),
    "type, number to text": changed(n="3"),
    "type, number to bool": changed(n=True),
    "type, bool to number": changed(ok=1),
    "false": changed(ok=False),
    "null": changed(accuracy=None),
    "huge integer": changed(big=12345678901234567890124),
    "shorter list": changed(loss=[0.5, 0.25]),
    "longer list": changed(loss=[0.5, 0.25, None, 0.1]),
    "order of a list": changed(loss=[0.25, 0.5, None]),
    "new key": changed(more=1),
    "empty object to list": changed(nested={**METRICS["nested"], "empty": []}),
    "deep": changed(nested={**METRICS["nested"], "a": {"b": [1, 2, {"c": "y"}]}}),
    "text": changed(name="Forest"),
    "NaN": changed(accuracy=float("nan")),
    "integer by one": changed(n=4),
    "date to no date": changed(date="never"),
    "date to number": changed(date=1_700_000_000),
    "other folder": changed(path="/home/eve/project/out"),
    "gone": json.dumps({key: value for key, value in METRICS.items() if key != "loss"}),
    "nearly nothing": "{}",
    "truncated": json.dumps(METRICS)[:-4],
}


@pytest.mark.parametrize("what", HARMFUL)
def test_harmful_changes_are_different(judge, what: str) -> None:
    found = judge(json.dumps(METRICS), HARMFUL[what], "metrics.json")
    assert found.finding.verdict == "different", found


BENIGN = {
    "order of keys": json.dumps(dict(reversed(METRICS.items()))),
    "white space": json.dumps(METRICS, indent=4),
    "other digits": json.dumps(METRICS).replace("0.25", "0.250"),
    "exponent": json.dumps(METRICS).replace("0.25", "2.5e-1"),
    "escapes": json.dumps(METRICS).replace("forest", "\\u0066orest"),
    "byte order mark": "\ufeff" + json.dumps(METRICS),
    "date": changed(date="2026-09-01T08:00:00"),
}


@pytest.mark.parametrize("what", BENIGN)
def test_benign_changes_are_equivalent(judge, what: str) -> None:
    found = judge(json.dumps(METRICS), BENIGN[what], "metrics.json")
    assert found.finding.verdict == "equivalent", found
    assert found.comparator == "json"


def test_reason_names_the_metric(judge) -> None:
    finding = judge('{"accuracy": 0.9722}', '{"accuracy": 0.9694}', "metrics.json").finding
    assert finding.reason == "$.accuracy 0.9722 → 0.9694"
    assert finding.differences[0].where == "$.accuracy"


def test_close_number(judge) -> None:
    finding = judge('{"loss": 0.1}', '{"loss": 0.10000000000000002}', "metrics.json").finding
    assert finding.verdict == "close"


def test_set_aside_is_listed(judge) -> None:
    one, two = ('{"date": "2024-01-01", "elapsed": 3.5}', '{"date": "2024-01-02", "elapsed": 9}')
    finding = judge(one, two, "m.json").finding
    assert finding.verdict == "equivalent"
    assert finding.set_aside == ("date: 1 place", "elapsed time: 1 place")


@pytest.mark.parametrize(
    ("key", "one", "two"),
    [
        ("loss", "1", "2"),
        ("latency_seconds", "1.5", "2.5"),
        ("elapsed", "1.5", "-2.5"),
        ("end_time", '"2024-01-01"', '"2024-02-01"'),
        ("elapsed", "1.5", "null"),
        ("date", '"2024-01-01"', '"2024-01-01; DROP"'),
        ("timestamp", "3", "4"),
        ("time_to_failure", "1", "2"),
    ],
)
def test_values_that_may_be_results_are_never_set_aside(judge, key: str, one: str, two: str) -> None:
    found = judge(f'{{"{key}": {one}}}', f'{{"{key}": {two}}}', "m.json")
    assert found.finding.verdict == "different"


def test_dates_and_durations_in_lists_are_data(judge) -> None:
    one, two = ('[{"date": "2024-01-01", "duration": 1}]', '[{"date": "2024-01-02", "duration": 2}]')
    finding = judge(one, two, "forecast.json").finding
    assert finding.verdict == "different"
    assert len(finding.differences) == 2


def test_a_key_written_twice_is_compared_as_text(judge) -> None:
    found = judge('{"a": 1, "a": 2}', '{"a": 3, "a": 2}', "m.json")
    assert found.finding.verdict == "different"
    assert "written twice" in found.finding.reason


@pytest.mark.parametrize("depth", [500, 200_000])
def test_deep_nesting_does_not_crash(judge, depth: int) -> None:
    one, two = "[" * depth + "1" + "]" * depth, "[" * depth + "2" + "]" * depth
    assert judge(one, two, "deep.json").finding.verdict == "different"


def test_not_quite_json_is_compared_as_text(judge) -> None:
    found = judge('{"a": 1}\nlast: 2\n', '{"a": 1}\nlast: 3\n', "rows.json")
    assert found.comparator == "text"
    assert "line 2" in found.finding.reason
    assert "not compared as json" in found.finding.reason


def test_lone_surrogates_are_written_as_escapes(judge) -> None:
    finding = judge('["\\ud800"]', '["\\ud801"]', "x.json").finding
    assert finding.verdict == "different"
    finding.reason.encode()


def test_paths_of_the_run_are_aliases(judge) -> None:
    aliases = (("project folder", "/home/ada/project", "/replay"),)
    two = changed(path="/replay/out")
    finding = judge(json.dumps(METRICS), two, "m.json", aliases=aliases).finding
    assert finding.verdict == "equivalent"
    assert finding.set_aside == ("project folder: 1 place",)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def parsed(tree: object) -> object:
    return json.loads(
        json.dumps(tree),
        parse_float=Number,
        parse_int=Number,
        parse_constant=Number,
        object_pairs_hook=_object,
    )


def canonical(tree: object) -> object:
    """Equal for trees that hold the same values: 1 and 1.0 are the same, 1 and True are not."""
    if isinstance(tree, dict):
        return {key: canonical(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [canonical(value) for value in tree]
    is_number = isinstance(tree, int | float) and not isinstance(tree, bool)
    return ("number", Decimal(repr(tree))) if is_number else (type(tree).__name__, tree)


any_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long an example takes says nothing about the code on a machine with other work."""


@any_machine
@given(trees, trees)
def test_equivalent_means_equal_values(one: object, two: object) -> None:
    verdict = compare_trees(parsed(one), parsed(two), Options()).verdict
    if verdict == "equivalent":
        assert canonical(one) == canonical(two)


@any_machine
@given(trees)
def test_a_tree_is_equivalent_to_itself(tree: object) -> None:
    assert compare_trees(parsed(tree), parsed(tree), Options()).verdict == "equivalent"

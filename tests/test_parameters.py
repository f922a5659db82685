"""Two runs' hyperparameters held against each other."""

from __future__ import annotations

import pytest

from envfreeze.errors import InputError
from envfreeze.parameters import compare, parameters_of
from envfreeze.records.environment import Interpreter
from envfreeze.records.lock import SCHEMA_VERSION, Lock
from envfreeze.records.observation import Parameter

LOGISTIC = "sklearn.linear_model.LogisticRegression"


def parameter(owner: str, name: str, value: str, source: str = "default", origin: str = "") -> Parameter:
    return Parameter(owner=owner, name=name, value=value, source=source, origin=origin)  # type: ignore[arg-type]


def sentences(first: list[Parameter], second: list[Parameter]) -> list[str]:
    return [change.sentence for change in compare(first, second).changes]


def test_the_default_that_changed_between_two_versions_is_named() -> None:
    old = [parameter(LOGISTIC, "max_iter", "100", origin="scikit-learn 1.4.0")]
    new = [parameter(LOGISTIC, "max_iter", "200", origin="scikit-learn 1.9.0")]
    assert sentences(old, new) == [
        "default of LogisticRegression.max_iter changed 100 → 200 between scikit-learn 1.4.0 and 1.9.0"
    ]
    assert compare(old, new).changes[0].kind == "default-changed"


def test_a_default_of_the_program_changed() -> None:
    old = [parameter("argparse train.py", "lr", "0.1", origin="default in train.py:3")]
    new = [parameter("argparse train.py", "lr", "0.2", origin="default in train.py:4")]
    assert sentences(old, new) == ["default of argparse train.py: lr changed 0.1 → 0.2"]


def test_versions_of_a_library_whose_parser_has_the_default() -> None:
    old = [parameter("argparse train.py", "seed", "1", origin="default of trainer 1.0")]
    new = [parameter("argparse train.py", "seed", "2", origin="default of trainer 2.0")]
    assert sentences(old, new)[0].endswith("changed 1 → 2 between trainer 1.0 and 2.0")


def test_a_value_that_was_given_now() -> None:
    old = [parameter(LOGISTIC, "max_iter", "100", origin="scikit-learn 1.4.0")]
    new = [parameter(LOGISTIC, "max_iter", "300", "given", "train.py:3")]
    assert sentences(old, new) == [
        "LogisticRegression.max_iter changed 100 → 300 (default of scikit-learn 1.4.0 before, given now)"
    ]


def test_a_value_of_a_file() -> None:
    old, new = (parameter("conf/train.yaml", "model.lr", value, "file") for value in ("1", "2"))
    assert sentences([old], [new]) == ["conf/train.yaml: model.lr changed 1 → 2"]


def test_parameters_that_one_version_does_not_know() -> None:
    common = parameter(LOGISTIC, "C", "1.0", origin="scikit-learn 1.9.0")
    more = parameter(LOGISTIC, "l1_ratio", "null", origin="scikit-learn 1.9.0")
    assert sentences([common], [common, more]) == [
        "LogisticRegression.l1_ratio is new in scikit-learn 1.9.0 (default null)"
    ]
    assert sentences([common, more], [common])[0].startswith("LogisticRegression.l1_ratio is only in")
    assert sentences([], [more]) == ["LogisticRegression.l1_ratio = null is not in the first run"]


def test_the_same_value_from_elsewhere_is_no_difference() -> None:
    old = [parameter(LOGISTIC, "C", "1.0", origin="scikit-learn 1.4.0")]
    new = [parameter(LOGISTIC, "C", "1.0", "given", "train.py:1")]
    found = compare(old, new)
    assert found.equal
    assert found.same == 1


def test_the_values_of_a_search_are_compared_as_a_set() -> None:
    tried = [parameter(LOGISTIC, "C", value, "given") for value in ("0.1", "1", "10")]
    assert compare(tried, tried[::-1]).equal
    assert sentences(tried, tried[:2]) == ["LogisticRegression.C changed 0.1, 1, 10 → 0.1, 1"]


def test_changed_defaults_come_first() -> None:
    old = [parameter("a", "x", "1", "given"), parameter(LOGISTIC, "C", "1", origin="scikit-learn 1.4.0")]
    new = [parameter("a", "x", "2", "given"), parameter(LOGISTIC, "C", "2", origin="scikit-learn 1.5.0")]
    assert [change.kind for change in compare(old, new).changes] == ["default-changed", "changed"]


def test_a_lock_without_a_run_has_no_parameters() -> None:
    lock = Lock(
        envfreeze_lock=SCHEMA_VERSION, interpreter=Interpreter(implementation="CPython", version="3.11.7")
    )
    with pytest.raises(InputError, match=r"a\.lock records an environment and no run"):
        parameters_of(lock, "a.lock")

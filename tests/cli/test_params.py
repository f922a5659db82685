"""``envfreeze params``: one lock and two."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from envfreeze.records import lockfile
from envfreeze.records.observation import Parameter

from .conftest import Envfreeze

LOGISTIC = "sklearn.linear_model.LogisticRegression"


def with_parameters(path: Path, *parameters: Parameter) -> str:
    """The frozen project's lock with these parameters, as another file."""
    lock = lockfile.read(Path("envfreeze.lock"))
    assert lock.run is not None
    run = msgspec.structs.replace(lock.run, parameters=parameters)
    lockfile.write(msgspec.structs.replace(lock, run=run), path)
    return str(path)


def max_iter(value: str, version: str) -> Parameter:
    return Parameter(
        owner=LOGISTIC, name="max_iter", value=value, source="default", origin=f"scikit-learn {version}"
    )


GIVEN = Parameter(owner="argparse train.py", name="epochs", value="3", source="given", origin="--epochs")
UNUSED = Parameter(
    owner="argparse train.py", name="a", value='"\\u001b"', source="default", origin="default in train.py:4"
)


@pytest.fixture
def locks(frozen: Path) -> tuple[str, str]:
    return (
        with_parameters(frozen / "a.lock", UNUSED, GIVEN, max_iter("100", "1.4.0")),
        with_parameters(frozen / "b.lock", UNUSED, GIVEN, max_iter("200", "1.9.0")),
    )


def test_one_lock_is_shown_by_owner_with_what_was_given_first(
    locks: tuple[str, str], envfreeze: Envfreeze
) -> None:
    said = envfreeze("params", locks[0])
    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0] == ["argparse", "train.py"]
    assert lines[1] == ["epochs", "3", "given:", "--epochs"]
    assert lines[2][0] == "a"
    assert lines[3] == [LOGISTIC]
    assert lines[4] == ["max_iter", "100", "default", "of", "scikit-learn", "1.4.0"]
    assert "max_iter" not in envfreeze("params", locks[0], "-q").out


def test_one_lock_as_json(locks: tuple[str, str], envfreeze: Envfreeze) -> None:
    found = json.loads(envfreeze("params", locks[0], "--json").out)["parameters"]
    assert {"owner": LOGISTIC, "name": "max_iter", "value": "100"}.items() <= found[-1].items()


def test_two_locks_name_the_default_that_changed(locks: tuple[str, str], envfreeze: Envfreeze) -> None:
    said = envfreeze("params", *locks)
    assert said.code == 1
    first, last = said.out.splitlines()
    assert first == (
        "default of LogisticRegression.max_iter changed 100 → 200 between scikit-learn 1.4.0 and 1.9.0"
    )
    assert last == "Different: 1 parameter; 2 the same."


def test_two_locks_as_json(locks: tuple[str, str], envfreeze: Envfreeze) -> None:
    said = envfreeze("params", *locks, "--json")
    found = json.loads(said.out)
    assert said.code == 1
    assert (found["equal"], found["same"]) == (False, 2)
    assert found["changes"][0]["kind"] == "default-changed"
    assert found["changes"][0]["second"][0]["origin"] == "scikit-learn 1.9.0"


def test_equal_locks(locks: tuple[str, str], envfreeze: Envfreeze) -> None:
    said = envfreeze("params", locks[0], locks[0])
    assert (said.code, said.out) == (0, "Same: 3 parameters with equal values.\n")


def test_a_missing_lock_is_one_sentence(frozen: Path, envfreeze: Envfreeze) -> None:
    said = envfreeze("params", "envfreeze.lock", "nowhere.lock")
    assert said.code == 2
    assert "nowhere.lock" in said.err
    assert "Traceback" not in said.err


def test_a_run_without_parameters_says_so(frozen: Path, envfreeze: Envfreeze) -> None:
    assert "No parameters were seen" in envfreeze("params").out


def test_show_counts_them_and_the_lock_keeps_one_a_line(locks: tuple[str, str], envfreeze: Envfreeze) -> None:
    assert "3 (1 given); see envfreeze params" in envfreeze("show", locks[0]).out
    assert any(
        "max_iter" in line and "scikit-learn 1.4.0" in line for line in Path(locks[0]).read_text().split("\n")
    )

"""``envfreeze claims``, and a replay that is judged by claims."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from .conftest import Envfreeze, freeze_once

CLAIMS = """\
claims:
  - id: accurate
    location: Table 2
    holds: metrics.json:accuracy >= 0.9
"""
TRAIN = "import json\njson.dump({'accuracy': 0.95}, open('metrics.json', 'w'))\n"


@pytest.fixture(scope="module")
def frozen_with_claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"train.py": TRAIN, "claims.yaml": CLAIMS}
    return freeze_once(tmp_path_factory.mktemp("claims"), files)


@pytest.fixture
def project(frozen_with_claims: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(frozen_with_claims, tmp_path / "project"))
    monkeypatch.chdir(folder)
    return folder


def test_claims_are_shown_and_checked(project: Path, envfreeze: Envfreeze) -> None:
    said = envfreeze("claims", "--check")
    assert said.code == 0
    assert "holds" in said.out and "(Table 2)" in said.out and "metrics.json:accuracy = 0.95" in said.out
    (project / "claims.yaml").write_text(CLAIMS.replace("0.9", "0.99"))
    assert envfreeze("claims").code == 0
    failing = envfreeze("claims", "--check", "--json")
    assert failing.code == 1
    assert json.loads(failing.out)["claims"][0]["original"] is False


def test_without_claims_it_says_how_to_write_one(frozen: Path, envfreeze: Envfreeze) -> None:
    said = envfreeze("claims")
    assert said.code == 2
    assert "claims.yaml" in said.err and "holds:" in said.err


def test_a_replay_with_other_numbers_is_judged_by_the_recorded_claims(
    project: Path, tmp_path: Path, envfreeze: Envfreeze
) -> None:
    (project / "claims.yaml").unlink()  # the recorded ones are used
    code = tmp_path / "code"
    code.mkdir()
    replay = ("replay", "--engine", "local", "--code", str(code), "--require", "same-conclusion")
    (code / "train.py").write_text(TRAIN.replace("0.95", "0.91"))
    held = envfreeze(*replay, "--json")
    assert held.code == 0, held.err
    answer = json.loads(held.out)
    assert answer["verdict"] == "same-conclusion"
    assert answer["run"]["comparison"]["claims"][0]["replay"] is True
    (code / "train.py").write_text(TRAIN.replace("0.95", "0.85"))
    failed = envfreeze(*replay, "--report", str(tmp_path / "report.html"))
    assert failed.code == 1
    assert "Not reproduced" in failed.out and "<claim accurate>" in failed.out
    assert "does not hold any more" in failed.out
    page = (tmp_path / "report.html").read_text()
    assert 'id="claims"' in page and "Table 2" in page


def test_given_claims_take_the_place_of_the_recorded_ones(
    project: Path, tmp_path: Path, envfreeze: Envfreeze
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(CLAIMS.replace("accuracy", "recall"))
    said = envfreeze("replay", "--engine", "local", "--claims", str(other))
    assert said.code == 1
    assert "Not verified" in said.out and "there is no recall" in said.out
    other.write_text("claims: [{id: a, holds: 'x >'}]")
    wrong = envfreeze("replay", "--engine", "local", "--claims", str(other))
    assert wrong.code == 2
    assert f"{other} line 1, column" in wrong.err


def test_a_fault_in_the_claims_does_not_undo_a_freeze(
    project: Path, monkeypatch: pytest.MonkeyPatch, envfreeze: Envfreeze
) -> None:
    (project / "claims.yaml").write_text("claims: nothing")
    said = envfreeze(
        "freeze", "--offline", "--vendor-limit", "1", "--no-dockerfile", "--", sys.executable, "train.py"
    )
    assert said.code == 0
    assert "the claims were not recorded" in said.err

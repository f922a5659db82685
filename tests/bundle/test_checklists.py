"""Checklists of venues, filled in from locks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from envfreeze import artifacts
from envfreeze.bundle.checklists import _facts, _render, answered, checklists
from envfreeze.errors import InputError

TRAIN = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=3)
options = parser.parse_args()
rows = open("data_100%_{x}.txt").read().split()
open("out.json", "w").write('{"score": %d}' % len(rows))
"""


@pytest.fixture(scope="module")
def frozen_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("author") / "project"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    (folder / "data_100%_{x}.txt").write_text("1 2 3")
    (folder / "claims.yaml").write_text("claims: [{id: three, holds: 'out.json:score == 3'}]\n")
    python = folder.parent / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder.parent / "venv"], check=True)
    command = [sys.executable, "-m", "envfreeze", "freeze", "-q", "--offline", "--", python, "train.py"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


@pytest.fixture
def project(frozen_project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(frozen_project, tmp_path / "copy", symlinks=True))


def answers(name: str, project: Path) -> dict[str, bool]:
    return {answer.id: answer.answered for answer in artifacts.checklist(name, project).answers}


def test_every_question_names_facts_that_there_are() -> None:
    """A misspelt name would be a TODO for ever."""
    known = set(re.findall(r'(?:yield|found\[)\s*\(?\s*"([a-z_]+)"', Path(_facts.__file__).read_text()))
    assert set(checklists()) == {"acm", "icml", "mlrc", "neurips", "usenix"}
    for checklist in checklists().values():
        assert checklist.source.startswith("https://")
        assert len({question.id for question in checklist.questions}) == len(checklist.questions)
        for question in checklist.questions:
            assert set(question.evidence) <= known, (checklist.name, question.id)


def test_what_the_lock_does_not_bear_is_a_todo(project: Path) -> None:
    found = answers("acm", project)
    assert found["Functional: documented"] and found["Functional: consistent"]
    assert not found["Available"] and not found["Results reproduced"]
    assert not found["Functional: verified and validated"]  # nobody has replayed it yet
    assert not answers("mlrc", project)["Results: runs"]
    assert answers("mlrc", project)["Results: infrastructure"]


def test_a_replay_is_evidence_only_when_it_agrees(project: Path) -> None:
    replay = [sys.executable, "-m", "envfreeze", "replay", "--engine", "local", "-q"]
    assert subprocess.run(replay, cwd=project, check=False, capture_output=True).returncode == 0
    assert answers("acm", project)["Functional: verified and validated"]
    (record,) = (project / ".envfreeze" / "runs").glob("*/run.json")
    content = json.loads(record.read_text())
    content["comparison"]["verdict"] = "different"
    record.write_text(json.dumps(content))
    filled = artifacts.checklist("acm", project)
    assert not {one.id: one.answered for one in filled.answers}["Functional: verified and validated"]
    assert any("newest replay of main: different" in gap for gap in filled.gaps)


def test_a_claim_that_fails_in_the_original_is_said(project: Path) -> None:
    (project / "artifact.yaml").write_text("experiments: [{name: main, claims: other.yaml}]\n")
    (project / "other.yaml").write_text("claims: [{id: four, holds: 'out.json:score == 4'}]\n")
    filled = artifacts.checklist("acm", project)
    assert not {one.id: one.answered for one in filled.answers}["Functional: consistent"]
    assert any("four does not hold" in gap for gap in filled.gaps)


def test_they_travel_in_the_bundle_with_the_newest_report(project: Path, tmp_path: Path) -> None:
    replay = [sys.executable, "-m", "envfreeze", "replay", "--engine", "local", "-q"]
    subprocess.run(replay, cwd=project, check=True, capture_output=True)
    path = tmp_path / "paper.zip"
    artifacts.pack(project, path, checklists=["acm", "mlrc"])
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        tex = archive.read("checklists/mlrc.tex").decode()
        assert b"<html" in archive.read("experiments/main/report.html")
    assert {"checklists/acm.md", "checklists/acm.tex", "checklists/mlrc.md"} <= names
    assert r"data\_100\%\_\{x\}.txt" in tex
    with pytest.raises(InputError, match=r"no checklist called 'acn'"):
        artifacts.pack(project, tmp_path / "other.zip", checklists=["acn"])
    assert not (tmp_path / "other.zip").exists()


def test_hostile_names_are_no_markup() -> None:
    evil = r"\input{/etc/passwd} $x$ % \end{itemize} & # ^ ~ <script>alert(1)</script> [a](b) `c`"
    checklist = checklists()["acm"]
    names = {name for question in checklist.questions for name in question.evidence}
    filled = answered(checklist, dict.fromkeys(names, evil), (evil,))
    tex = _render.latex(filled)
    assert r"\input" not in tex and tex.count(r"\end{itemize}") == 1 and "$x$" not in tex
    text = _render.markdown(filled)
    assert "<script>" not in text.replace(r"\<script\>", "") and "](b)" not in text.replace(r"\](b)", "")


def test_the_author_gets_a_readme_to_edit_and_keeps_it(project: Path, tmp_path: Path) -> None:
    written = artifacts.write_readme(project)
    assert "./run.sh main" in written.read_text()
    written.write_text("# My own words\n")
    with pytest.raises(InputError, match="is yours"):
        artifacts.write_readme(project)
    artifacts.pack(project, tmp_path / "paper.zip")
    with zipfile.ZipFile(tmp_path / "paper.zip") as archive:
        assert archive.read("README.md") == b"# My own words\n"


def test_the_commands_say_what_they_did(project: Path, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "envfreeze", *words]
        return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    assert run("checklist", "usenix").stdout.startswith("# USENIX")
    assert run("checklist", "usenix", "--format", "latex").stdout.startswith("% USENIX")
    assert json.loads(run("checklist", "usenix", "--json").stdout)["answers"]
    unknown = run("checklist", "none")
    assert unknown.returncode == 2 and "acm, icml, mlrc, neurips, usenix" in unknown.stderr
    assert "ARTIFACT.md" in run("pack", "--write-readme").stdout
    minimal = run("pack", "-o", str(tmp_path / "x.zip"), "--minimal", "python 'train.py", "--json")
    assert minimal.returncode == 2 and "quotation" in minimal.stdout + minimal.stderr
    assert not (tmp_path / "x.zip").exists()

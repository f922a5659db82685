"""``envfreeze sweep`` and ``compare-sweeps``, on a project with a random but seeded result."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Envfreeze

TRAIN = """\
import argparse, json, random, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=7)
parser.add_argument("--shift", type=float, default=0.0)
parser.add_argument("--sleep", type=float, default=0.0)
parser.add_argument("--fail-from", type=int, default=10**9)
given = parser.parse_args()
time.sleep(given.sleep)
if given.seed >= given.fail_from:
    sys.exit(3)
draw = random.Random(given.seed)
json.dump({"accuracy": 0.9 + given.shift + draw.gauss(0, 0.01)}, open("metrics.json", "w"))
open("model.bin", "wb").write(bytes(draw.choices(range(256), k=1000)))
"""
pytestmark = pytest.mark.xdist_group("sweep")  # the fixture is made once
SWEEP = ("sweep", "--engine", "local")


def freeze(folder: Path, venv: Path, *options: str) -> Path:
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    command = [sys.executable, "-m", "envfreeze", "freeze", "--offline", "--no-dockerfile", "-q", "--"]
    command += [str(venv / "bin" / "python"), "train.py", *options]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def swept(venv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two projects that were frozen and swept: ``plain``, and ``shifted`` whose accuracy is higher."""
    folder = tmp_path_factory.mktemp("swept")
    for name, options in (("plain", ()), ("shifted", ("--shift", "0.05"))):
        project = freeze(folder / name, venv, *options)
        command = [sys.executable, "-m", "envfreeze", *SWEEP, "--seeds", "20", "-q"]
        subprocess.run(command, cwd=project, check=True, capture_output=True)
    return folder


@pytest.fixture
def plain(swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(swept / "plain", tmp_path / "plain"))
    monkeypatch.chdir(folder)
    return folder


def test_a_sweep_shows_the_distribution_and_where_the_original_lies(
    plain: Path, envfreeze: Envfreeze
) -> None:
    said = envfreeze(*SWEEP, "--seeds", "20", "--json")
    assert said.code == 0
    answer = json.loads(said.out)
    assert [run["values"] for run in answer["sweep"]["runs"]] == [{"seed": str(n)} for n in range(1, 21)]
    assert len({run["outputs"]["model.bin"] for run in answer["sweep"]["runs"]}) == 20
    (accuracy,) = answer["distributions"]
    assert accuracy["metric"] == "metrics.json:accuracy"
    assert accuracy["summary"]["mean"] == pytest.approx(0.9, abs=0.01)
    assert accuracy["inside"] is True and 0 < accuracy["quantile"] < 1
    words = envfreeze(*SWEEP, "--seeds", "20")
    assert "the original lies within the prediction interval" in words.out
    run = Path(answer["folder"]) / "runs" / "0"
    assert (run / "outputs" / "metrics.json").is_file() and (run / "stdout").is_file()
    assert not (run / "outputs" / "model.bin").exists(), "kept as a digest only"


def test_more_seeds_go_on_where_the_sweep_was(plain: Path, envfreeze: Envfreeze) -> None:
    said = envfreeze(*SWEEP, "--seeds", "21", "--vary", "seed")
    assert said.code == 0
    assert "20 runs are there already; 1 to do" in said.err
    assert "21 runs" in said.out


def test_a_killed_sweep_goes_on(
    venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, envfreeze: Envfreeze
) -> None:
    project = freeze(tmp_path / "slow", venv, "--sleep", "0.4")
    monkeypatch.chdir(project)
    command = [sys.executable, "-m", "envfreeze", *SWEEP, "--seeds", "8", "--jobs", "2"]
    process = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while len(list(project.glob(".envfreeze/sweeps/*/runs/*/run.json"))) < 2:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = {path: path.stat().st_mtime_ns for path in project.glob(".envfreeze/sweeps/*/runs/*/run.json")}
    assert len(before) < 8
    said = envfreeze(*SWEEP, "--seeds", "8")
    assert said.code == 0
    assert "are there already" in said.err and "8 runs" in said.out
    assert {path: path.stat().st_mtime_ns for path in before} == before, "finished runs are not made again"


def test_an_interrupted_sweep_leaves_no_process(venv: Path, tmp_path: Path) -> None:
    project = freeze(tmp_path / "slow", venv, "--sleep", "0.5")
    lock = project / "envfreeze.lock"
    # A word that only this sweep's commands have, whoever else runs these tests here.
    word = f"61.{os.getpid()}"
    lock.write_text(lock.read_text().replace("'0.5'", f"'{word}'"))
    command = [sys.executable, "-m", "envfreeze", *SWEEP, "--seeds", "4", "--jobs", "2"]
    process = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while word.encode() not in _commands():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    while word.encode() in _commands():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not list(project.glob(".envfreeze/sweeps/*/runs/*"))


def _commands() -> bytes:
    found = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += path.read_bytes()
        except OSError:
            continue
    return found


def test_failed_runs_are_kept_told_and_made_again_on_request(
    venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, envfreeze: Envfreeze
) -> None:
    monkeypatch.chdir(freeze(tmp_path / "failing", venv, "--fail-from", "8"))
    said = envfreeze(*SWEEP, "--seeds", "3", "--first-seed", "6")
    assert said.code == 1
    assert "seed 8: failed with exit status 3" in said.err
    assert "3 runs, of which 1 failed" in said.out
    assert "1 to do" not in envfreeze(*SWEEP, "--seeds", "3", "--first-seed", "6").err
    assert "1 to do" in envfreeze(*SWEEP, "--seeds", "3", "--first-seed", "6", "--again").err


def test_a_replay_within_the_seeds_is_indistinguishable(
    plain: Path, tmp_path: Path, envfreeze: Envfreeze
) -> None:
    """The lock says another seed than its outputs were made with: a replay that draws anew."""
    replay = ("replay", "--engine", "local", "--profile", "off", "--require", "indistinguishable")
    sweep = next(plain.glob(".envfreeze/sweeps/*/sweep.json"))
    old = json.loads(sweep.read_text())["lock"]

    text = (plain / "envfreeze.lock").read_text()
    assert "  - train.py\n" in text
    text = text.replace("  - train.py\n", "  - train.py\n  - --seed\n  - '123'\n", 1)
    (plain / "envfreeze.lock").write_text(text)
    digest = hashlib.sha256((plain / "envfreeze.lock").read_bytes()).hexdigest()
    sweep.write_text(sweep.read_text().replace(old, digest))
    page = tmp_path / "report.html"
    said = envfreeze(*replay, "--report", str(page))
    assert said.code == 0, said.out + said.err
    assert 'id="seeds"' in page.read_text() and "metrics.json:accuracy" in page.read_text()
    assert "statistically indistinguishable" in said.out and "20 seeds" in said.out


def test_two_sweeps_are_compared(swept: Path, envfreeze: Envfreeze) -> None:
    plain, shifted = str(swept / "plain"), str(swept / "shifted")
    differ = envfreeze("compare-sweeps", plain, shifted)
    assert differ.code == 1
    assert "Different in 1 of 1 metric: metrics.json:accuracy" in differ.out
    same = envfreeze("compare-sweeps", plain, plain, "--margin", "0.02", "--json")
    assert same.code == 0
    answer = json.loads(same.out)
    assert answer["verdict"] == "indistinguishable"
    assert answer["metrics"][0]["conclusion"] == "equivalent"
    unknown = envfreeze("compare-sweeps", plain, shifted, "--metric", "recall")
    assert unknown.code == 2 and "metrics.json:accuracy" in unknown.err
    assert envfreeze("compare-sweeps", plain, "nowhere").code == 2


def test_a_sweep_needs_a_run(frozen: Path, envfreeze: Envfreeze) -> None:
    (frozen / "envfreeze.lock").unlink()
    assert envfreeze("sweep").code == 2
    assert envfreeze("freeze", "--offline", "--no-dockerfile").code == 0
    said = envfreeze("sweep")
    assert said.code == 2 and "nothing to sweep" in said.err


def test_a_command_without_a_seed_is_seeded_by_the_profile_strict(
    venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, envfreeze: Envfreeze
) -> None:
    project = tmp_path / "unseeded"
    project.mkdir()
    (project / "train.py").write_text("import random\nprint('accuracy:', random.random())\n")
    command = [sys.executable, "-m", "envfreeze", "freeze", "--offline", "--no-dockerfile", "-q", "--"]
    command += [str(venv / "bin" / "python"), "train.py"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    monkeypatch.chdir(project)
    said = envfreeze(*SWEEP, "--seeds", "3", "--json")
    assert said.code == 0, said.err
    assert "the profile strict sets it" in said.err
    first = json.loads(said.out)
    values = [run["metrics"][0]["value"] for run in first["sweep"]["runs"]]
    assert len(set(values)) == 3
    shutil.rmtree(first["folder"])
    again = json.loads(envfreeze(*SWEEP, "--seeds", "3", "--json").out)
    assert [run["metrics"][0]["value"] for run in again["sweep"]["runs"]] == values, "a seed decides the run"


def test_missing_statistics_are_told_before_anything_runs(
    plain: Path, monkeypatch: pytest.MonkeyPatch, envfreeze: Envfreeze
) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    said = envfreeze(*SWEEP, "--seeds", "25")
    assert said.code == 3
    assert "envfreeze[statistics]" in said.err and "to do" not in said.err

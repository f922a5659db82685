"""An author's sweep travels in the bundle, and a reviewer's other numbers are held against it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze import artifacts

from ..command import envfreeze

TRAIN = """\
import argparse, json, random
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
draw = random.Random(parser.parse_args().seed)
json.dump({"accuracy": 0.9 + draw.gauss(0, 0.01)}, open("metrics.json", "w"))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("author") / "project"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    python = folder.parent / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python.parent.parent], check=True)
    frozen = envfreeze("freeze", "-q", "--offline", "--", python, "train.py", cwd=folder)
    assert frozen.returncode == 0, frozen.stderr
    swept = envfreeze("sweep", "-q", "--engine", "local", "--seeds", "10", cwd=folder)
    assert swept.returncode == 0, swept.stderr
    return Path(artifacts.pack(folder, folder.parent / "paper.envfreeze.zip").path)


def test_the_sweep_is_in_the_bundle(bundle: Path, tmp_path: Path) -> None:
    folder, content = artifacts.unpack(bundle, tmp_path / "out")
    (experiment,) = content.experiments
    assert experiment.swept == ("10 runs over seed",)
    assert "10 runs over seed" in (folder / "README.md").read_text()
    (path,) = (folder / experiment.folder).glob(".envfreeze/sweeps/*/sweep.json")
    assert len(json.loads(path.read_text())["runs"]) == 10
    assert artifacts.verify(bundle).whole


def test_other_numbers_of_a_replay_are_held_against_it(bundle: Path, tmp_path: Path) -> None:
    replayed = envfreeze("replay", bundle, "--engine", "local", "--yes", "--json", cwd=tmp_path)
    found = json.loads(replayed.stdout)
    (metrics,) = [output for output in found["outputs"] if output["path"] == "metrics.json"]
    # Without the tapes, which stay with the author, the seed is another one: rarely an unlikely one.
    assert metrics["verdict"] in ("indistinguishable", "different")
    assert "seeds" in metrics["reason"], metrics


def test_it_can_be_compared_with_another_experiment(bundle: Path, tmp_path: Path) -> None:
    folder, content = artifacts.unpack(bundle, tmp_path / "out")
    here = folder / content.experiments[0].folder
    done = envfreeze("compare-sweeps", here, here, "--json", cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    (metric,) = json.loads(done.stdout)["metrics"]
    assert metric["difference"] == 0.0

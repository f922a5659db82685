"""The bundled example with real packages from the index, on both engines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import ENGINES, copy_example, run

pytestmark = pytest.mark.index


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory, digits_environment: Path) -> Path:
    folder = copy_example("digits", tmp_path_factory.mktemp("author"))
    done = run("freeze", "--", "python", "train.py", cwd=folder, path=[digits_environment])
    assert done.returncode == 0, done.stderr
    assert "logistic regression: accuracy" in done.stdout
    return folder


@pytest.mark.parametrize("engine", ENGINES)
def test_digits_come_out_identical_and_another_seed_does_not(
    frozen: Path, tmp_path: Path, engine: str
) -> None:
    reviewer = tmp_path / "reviewer"
    reviewer.mkdir()
    for name in ("envfreeze.lock", "Dockerfile"):
        shutil.copy(frozen / name, reviewer / name)
    shutil.copytree(frozen / ".envfreeze", reviewer / ".envfreeze")
    replayed = run("replay", "--engine", engine, "--json", cwd=reviewer)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    verdicts = {output["path"]: output["verdict"] for output in replayed.json["outputs"] if output["counts"]}
    assert set(verdicts.values()) == {"identical"}
    names = {"metrics.json", "predictions.csv", "model.joblib", "confusion.png"}
    assert {f"results/{name}" for name in names} <= set(verdicts)

    code = copy_example("digits", tmp_path)
    (code / "train.py").write_text((code / "train.py").read_text().replace("SEED = 7", "SEED = 8"))
    changed = run("replay", "--engine", engine, "--code", code, cwd=reviewer)
    assert changed.returncode == 1
    assert "accuracy" in changed.stdout and "→" in changed.stdout

    again = run("build", "--engine", engine, "--json", cwd=reviewer)
    assert again.json.get("built", False) is False, "an unchanged lock means no build at all"

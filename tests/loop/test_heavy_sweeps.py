"""Sweeps of real trainings: slow, as each needs an environment and many runs.

``ENVFREEZE_TORCH_PYTHON`` names an interpreter that has torch already; otherwise pip installs it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from . import _packages
from .conftest import copy_example, run

pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.timeout(3000)]
SEEDS = ("--engine", "local", "--seeds", "16")


def swept(project: Path, environment: Path, *command: str) -> Path:
    """The project frozen and swept over 16 seeds; the project."""
    done = run("freeze", "--no-prove", "--no-dockerfile", "--", *command, cwd=project, path=[environment])
    assert done.returncode == 0, done.stdout + done.stderr
    sweep = run("sweep", *SEEDS, cwd=project)
    assert sweep.returncode == 0, sweep.stdout + sweep.stderr
    assert "16 runs" in sweep.stdout
    return project


def compared(first: Path, second: Path, *options: str) -> dict[str, dict[str, object]]:
    done = run("compare-sweeps", first, second, "--json", *options, cwd=first)
    assert done.returncode in (0, 1), done.stderr
    return {item["metric"].partition(":")[2]: item for item in done.json["metrics"]}


def test_the_forest_of_the_digits_with_more_trees(digits_environment: Path, tmp_path: Path) -> None:
    few = swept(
        copy_example("digits", tmp_path / "few"), digits_environment, "python", "train.py", "--trees", "5"
    )
    many = swept(copy_example("digits", tmp_path / "many"), digits_environment, "python", "train.py")
    answer = run("sweep", *SEEDS, "--json", cwd=many).json
    assert {item["inside"] for item in answer["distributions"]} == {True}
    found = compared(few, many)
    assert found["forest.accuracy"]["conclusion"] == "differ"
    assert found["forest.accuracy"]["difference"] > 0.01
    assert found['"logistic regression".accuracy']["conclusion"] != "differ", "it has no trees"
    assert found['"logistic regression".accuracy']["p"] == 1.0, "the same seeds give it the same numbers"


def test_two_learning_rates_of_a_torch_network(tmp_path: Path) -> None:
    given = os.environ.get("ENVFREEZE_TORCH_PYTHON")
    if given:
        environment = Path(given).parent
    else:
        environment = _packages.make_environment_with_pip(tmp_path / "venv", "torch==2.13.0", "numpy")
    train = ("python", "train.py", "--epochs", "6", "--learning-rate")
    slow = swept(copy_example("torch-mlp", tmp_path / "slow"), environment, *train, "0.0003")
    fast = swept(copy_example("torch-mlp", tmp_path / "fast"), environment, *train, "0.01")
    found = compared(slow, fast)
    assert found["accuracy"]["conclusion"] == found["losses[-1]"]["conclusion"] == "differ"
    assert found["accuracy"]["difference"] > 0 > found["losses[-1]"]["difference"]
    same = run("compare-sweeps", fast, fast, "--margin", "0.2", cwd=fast)
    assert same.returncode == 0, same.stdout
    assert same.stdout.splitlines()[-1].startswith("Equivalent in 2 metrics")


CLUSTERS = """\
import argparse, json
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=2)
seed = parser.parse_args().seed
images, labels = load_digits(return_X_y=True)
inertia = KMeans(n_clusters=30, random_state=seed).fit(images).inertia_
train_x, test_x, train_y, test_y = train_test_split(images, labels, random_state=0)
forest = RandomForestClassifier(n_estimators=30, random_state=seed).fit(train_x, train_y)
accuracy = forest.score(test_x, test_y)
json.dump({"inertia": inertia, "forest": {"accuracy": accuracy}}, open("metrics.json", "w"))
"""
CLAIM = "claims: [{id: clusters, location: Table 1, holds: 'metrics.json:inertia < 845000'}]\n"


def test_a_default_that_changed_between_two_versions_of_scikit_learn(tmp_path: Path) -> None:
    """KMeans ran 10 times from other centres and took the best until 1.3, and runs once since 1.4
    (``n_init``, https://scikit-learn.org/stable/whats_new/v1.4.html); the forest's defaults are the same."""
    projects = []
    for number, packages in enumerate((("scikit-learn==1.2.2", "numpy<2"), ("scikit-learn==1.5.2",))):
        environment = _packages.make_environment_with_pip(tmp_path / f"venv{number}", *packages)
        project = tmp_path / f"project{number}"
        project.mkdir()
        (project / "train.py").write_text(CLUSTERS)
        (project / "claims.yaml").write_text(CLAIM)
        projects.append(swept(project, environment, "python", "train.py"))
    old, new = projects
    found = compared(old, new)
    assert found["inertia"]["conclusion"] == "differ"
    assert found["inertia"]["difference"] > 0
    assert found["forest.accuracy"]["conclusion"] != "differ"
    forest = compared(old, new, "--metric", "metrics.json:forest.accuracy", "--margin", "0.02")
    assert forest["forest.accuracy"]["conclusion"] == "equivalent"
    changes = run("params", old / "envfreeze.lock", new / "envfreeze.lock", cwd=old).stdout
    assert "n_init" in changes
    claims = [run("claims", "--check", cwd=project).returncode for project in projects]
    assert claims == [0, 1], "the conclusion of Table 1 changed"
    shutil.rmtree(old / ".envfreeze")

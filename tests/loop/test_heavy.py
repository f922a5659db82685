"""Real frameworks through the whole loop: slow, as each test needs an environment of a gigabyte.

``ENVFREEZE_TORCH_PYTHON`` and ``ENVFREEZE_TENSORFLOW_PYTHON`` name interpreters that have the framework
already; otherwise pip installs it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envfreeze.observer import inject

from . import _packages
from .conftest import ROOT, run

pytestmark = [pytest.mark.slow, pytest.mark.index]
needs_shim = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")

Environments = Callable[..., Path]


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    """The ``bin`` folder of an environment with what is asked for; a variable may name one that is there."""
    made: dict[tuple[str, ...], Path] = {}

    def environment(*packages: str, variable: str = "") -> Path:
        if given := os.environ.get(variable):
            return Path(given).parent
        if packages not in made:
            folder = tmp_path_factory.mktemp("environment") / "venv"
            made[packages] = _packages.make_environment_with_pip(folder, *packages)
        return made[packages]

    return environment


def frozen(folder: Path, environment: Path, *command: str) -> Path:
    """Freeze and leave: only the lock and its store are left."""
    done = run("freeze", "--no-prove", "--", *command, cwd=folder, path=[environment])
    assert done.returncode == 0, done.stdout + done.stderr
    reviewer = folder.parent / "reviewer"
    reviewer.mkdir()
    for name in ("envfreeze.lock", ".envfreeze"):
        shutil.move(folder / name, reviewer / name)
    shutil.rmtree(folder)
    return reviewer


def replayed(reviewer: Path) -> dict[str, str]:
    """The verdict of each output that counts."""
    done = run("replay", "--engine", "local", "--json", cwd=reviewer)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {output["path"]: output["verdict"] for output in done.json["outputs"] if output["counts"]}


def parameters(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    found = run("params", "--json", cwd=folder).json["parameters"]
    return {(item["owner"], item["name"]): item for item in found}


@needs_shim
def test_torch_with_loading_workers_and_no_seed(environments: Environments, tmp_path: Path) -> None:
    environment = environments("torch==2.13.0", "numpy", variable="ENVFREEZE_TORCH_PYTHON")
    project = Path(shutil.copytree(ROOT / "tests/projects/torch_loader", tmp_path / "project"))
    reviewer = frozen(project, environment, "python", "train.py")
    found = parameters(reviewer)
    (loader,) = {owner for owner, _ in found if owner.endswith("DataLoader")}
    assert found[loader, "num_workers"]["value"] == "2"
    assert found[loader, "shuffle"]["value"] == "true"
    (adam,) = {owner for owner, _ in found if owner.endswith("Adam")}
    assert (found[adam, "lr"]["value"], found[adam, "lr"]["source"]) == ("0.01", "given")
    assert found[adam, "eps"]["source"] == "default"
    assert replayed(reviewer) == dict.fromkeys(
        ["losses.json", "net.pt", "<stdout>", "<exit status>"], "identical"
    )


KERAS = """
import keras
import numpy as np

x, y = np.random.rand(64, 4).astype("float32"), np.random.randint(0, 3, 64)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(3)])
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.5),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x, y, epochs=2, batch_size=16, verbose=0)
"""


def test_what_keras_was_told(environments: Environments, tmp_path: Path) -> None:
    environment = environments("tensorflow-cpu==2.21.0", variable="ENVFREEZE_TENSORFLOW_PYTHON")
    (tmp_path / "train.py").write_text(KERAS)
    words = ("freeze", "--offline", "--no-prove", "--no-dockerfile", "--", "python", "train.py")
    done = run(*words, cwd=tmp_path, path=[environment])
    assert done.returncode == 0, done.stderr
    found = parameters(tmp_path)
    fit = {name: item for (owner, name), item in found.items() if owner.endswith("Sequential.fit")}
    assert [fit[name]["value"] for name in ("epochs", "batch_size", "shuffle")] == ["2", "16", "true"]
    assert [fit[name]["source"] for name in ("epochs", "batch_size", "shuffle")] == [
        "given",
        "given",
        "default",
    ]
    compiled = {name: item for (owner, name), item in found.items() if owner.endswith(".compile")}
    assert "SparseCategoricalCrossentropy" in compiled["loss"]["value"]
    assert compiled["metrics"]["value"] == '["accuracy"]'
    adam = {name: item for (owner, name), item in found.items() if owner.endswith("Adam")}
    assert (adam["learning_rate"]["value"], adam["learning_rate"]["source"]) == ("0.5", "given")
    assert (adam["beta_1"]["value"], adam["beta_1"]["source"]) == ("0.9", "default")
    (model,) = {owner for owner, name in found if name == "parameters"}
    assert found[model, "parameters"]["value"] == str(4 * 8 + 8 + 8 * 3 + 3)


KMEANS = """
import warnings
from sklearn.cluster import KMeans
warnings.simplefilter("ignore")
KMeans(2, random_state=0).fit([[0.0], [1.0], [5.0], [6.0]])
"""


def test_a_default_that_changed_between_two_versions_is_named(
    environments: Environments, tmp_path: Path
) -> None:
    """``KMeans(n_init=…)``: 10 until 1.1, "auto" since 1.4 (scikit-learn's changelog)."""
    (tmp_path / "cluster.py").write_text(KMEANS)
    for name, version in (("old", "1.1.3"), ("new", "1.4.2")):
        environment = environments(f"scikit-learn=={version}", "numpy==1.26.4", "scipy==1.11.4")
        words = ("freeze", "--offline", "--no-prove", "--no-dockerfile", "--", "python", "cluster.py")
        done = run(*words, cwd=tmp_path, path=[environment])
        assert done.returncode == 0, done.stderr
        (tmp_path / "envfreeze.lock").rename(tmp_path / f"{name}.lock")
    done = run("params", "old.lock", "new.lock", cwd=tmp_path)
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    assert 'default of KMeans.n_init changed 10 → "auto" between scikit-learn 1.1.3 and 1.4.2' in text


def notebook(*cells: tuple[str, list[str]]) -> str:
    """A notebook with these code cells, each with its tags."""
    made = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell{number}",
            "metadata": {"tags": tags},
            "outputs": [],
            "source": source,
        }
        for number, (source, tags) in enumerate(cells)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def test_papermill(environments: Environments, tmp_path: Path) -> None:
    environment = environments("papermill==2.6.0", "ipykernel==6.29.5")
    project = tmp_path / "project"
    project.mkdir()
    work = "open('total.txt', 'w').write(str(sum(map(float, open('data.txt'))) * steps))"
    (project / "analysis.ipynb").write_text(notebook(("steps = 1", ["parameters"]), (work, [])))
    (project / "data.txt").write_text("1\n2.5\n")
    command = ("papermill", "--no-progress-bar", "-p", "steps", "3", "analysis.ipynb", "done.ipynb")
    verdicts = replayed(frozen(project, environment, *command))
    assert verdicts["total.txt"] == verdicts["<exit status>"] == "identical"
    assert verdicts["done.ipynb"] != "missing"  # it holds the times at which messages of the kernel came


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R on this machine")
def test_an_r_script_is_seen_by_the_shim(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x\n1\n2\n")
    (tmp_path / "fit.R").write_text(
        'd <- read.csv("data.csv")\nwriteLines(as.character(sum(d$x)), "sum.txt")\n'
    )
    words = ("freeze", "--offline", "--no-dockerfile", "--json", "--", "Rscript", "--vanilla", "fit.R")
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    observed = done.json["run"]
    assert {"data.csv", "fit.R"} <= {entry["path"] for entry in observed["files"]["entries"]}
    assert [entry["path"] for entry in observed["outputs"]["entries"]] == ["sum.txt"]

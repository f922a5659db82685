"""Unseeded trainings with real libraries: a replay makes the same bits, names of files included.

They need environments with the libraries, as ``$ENVFREEZE_REAL_ENVIRONMENTS/{torch,tf,jax}``: Python 3.11
with torch, scikit-learn, LightGBM, XGBoost, matplotlib, TensorBoard and nbconvert; with TensorFlow; with JAX,
Flax and Optax.
"""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from envfreeze import workflow
from envfreeze.observer import inject
from envfreeze.records.lock import Lock
from envfreeze.records.settings import Profile
from envfreeze.store import Store

from ._real_programs import NOTEBOOK_CELLS, PROGRAMS

ENVIRONMENTS = os.environ.get("ENVFREEZE_REAL_ENVIRONMENTS", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.index,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim"),
    pytest.mark.skipif(not ENVIRONMENTS, reason="ENVFREEZE_REAL_ENVIRONMENTS names no environments"),
]


@pytest.fixture(scope="module")
def project_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """One project an environment: the environment is built for the first of its programs only."""
    yield {name: tmp_path_factory.mktemp(name) for name in ("torch", "tf", "jax")}


def emptied(project: Path) -> Path:
    for path in project.iterdir():
        if path.is_file():
            path.unlink()
        elif path.name != ".envfreeze":
            shutil.rmtree(path)
    return project


def freeze(project: Path, environment: str, command: list[str], profile: Profile = "recorded") -> Lock:
    folder = Path(ENVIRONMENTS) / environment / "bin"
    variables = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    lock = workflow.freeze(
        [str(folder / command[0]), *command[1:]],
        project=project,
        directory=project,
        environment=variables,
        prove=False,
        profile=profile,
        passthrough=(2, 2),
    )
    assert lock.run is not None and lock.run.exit_status == 0
    return lock


def replayed(project: Path, engine: str = "local") -> list[str]:
    run = workflow.replay(project, engine=engine)
    assert isinstance(run.comparison, msgspec.Struct)
    return [
        f"{output.path}: {output.verdict}: {output.reason}"
        for output in run.comparison.outputs
        if output.counts and output.verdict != "identical"
    ]


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "keras"])
def test_an_unseeded_program_is_replayed_to_the_bit(project_of: dict[str, Path], name: str) -> None:
    environment, code = PROGRAMS[name]
    project = emptied(project_of[environment])
    (project / "main.py").write_text(textwrap.dedent(code))
    freeze(project, environment, ["python", "main.py"])
    assert replayed(project) == []


def test_keras_is_replayed_to_the_bit_but_for_addresses(project_of: dict[str, Path]) -> None:
    """Keras writes ``id(object)`` into its own format, in one member of the archive."""
    environment, code = PROGRAMS["keras"]
    project = emptied(project_of[environment])
    (project / "main.py").write_text(textwrap.dedent(code))
    freeze(project, environment, ["python", "main.py"])
    assert [text for text in replayed(project) if not text.startswith("model.keras: equivalent:")] == []


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "keras"])
def test_an_unseeded_program_is_replayed_to_the_bit_by_the_agent(
    project_of: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the shim; TensorFlow draws its seeds in C++."""
    monkeypatch.setenv(inject.SWITCH, "off")
    environment, code = PROGRAMS[name]
    project = emptied(project_of[environment])
    (project / "main.py").write_text(textwrap.dedent(code))
    freeze(project, environment, ["python", "main.py"])
    assert replayed(project) == []


@pytest.mark.engine
@pytest.mark.parametrize("name", ["forest", "lstm"])
def test_an_unseeded_program_is_replayed_to_the_bit_in_a_container(
    project_of: dict[str, Path], name: str
) -> None:
    environment, code = PROGRAMS[name]
    project = emptied(project_of[environment])
    (project / "main.py").write_text(textwrap.dedent(code))
    freeze(project, environment, ["python", "main.py"])
    assert replayed(project, "docker") == []


@pytest.mark.parametrize("layer", ["shim", "agent"])
def test_an_unseeded_notebook_is_replayed_to_the_bit(
    project_of: dict[str, Path], layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if layer == "agent":
        monkeypatch.setenv(inject.SWITCH, "off")
    project = emptied(project_of["torch"])
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for source in NOTEBOOK_CELLS
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (project / "walk.ipynb").write_text(json.dumps(notebook))
    command = [
        "jupyter",
        "nbconvert",
        "--to",
        "notebook",
        "--execute",
        "walk.ipynb",
        "--output",
        "done.ipynb",
    ]
    freeze(project, "torch", command)
    assert replayed(project) == []


STRICT = {
    "forest": ("forest.joblib", "centres.npy"),  # its times count how often joblib asked for its workers
    "loader": ("model.pt",),  # the same of the loader's workers
    "lstm": (),
    "keras": ("weights.npz",),  # Keras writes addresses into its own format, and its time counts waits too
    "flax": (),
}
"""What is the same; empty: all of it."""


@pytest.mark.parametrize("name", STRICT)
def test_two_strict_freezes_make_the_same_bits(project_of: dict[str, Path], name: str) -> None:
    environment, code = PROGRAMS[name]
    made = []
    for _ in range(2):
        project = emptied(project_of[environment])
        (project / "main.py").write_text(textwrap.dedent(code))
        lock = freeze(project, environment, ["python", "main.py"], "strict")
        assert lock.run is not None
        entries = Store(project).entries(lock.run.outputs, what="outputs")
        found = {entry.path: entry.sha256 for entry in entries} | {"<stdout>": lock.run.stdout.sha256}
        made.append({path: found[path] for path in STRICT[name] or found})
        assert not [setting for setting in lock.run.settings if setting.in_force == "no"]
    assert made[0] == made[1]

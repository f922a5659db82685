"""A project in another language: R draws its seed and reads the clock through the C library, too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .test_projects import author_of, freeze, gaps, judge, needs_shim, replay, shape

pytestmark = [needs_shim, pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R here")]

SCRIPT = shape("Rscript", "analysis.R", made="simulated.csv", unseeded=True)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("r_script")
    return freeze(author_of("r_script", base / "author"), SCRIPT, to=base / "reviewer")


def test_only_the_missing_python_is_a_gap(frozen: Path) -> None:
    (line,) = gaps(frozen).splitlines()
    assert line.startswith("the run's Python: no Python of the run")


@pytest.mark.parametrize(
    "engine",
    ["local", pytest.param("docker", marks=[pytest.mark.engine, pytest.mark.index, pytest.mark.slow])],
)
def test_unseeded_numbers_and_times_are_the_same(frozen: Path, tmp_path: Path, engine: str) -> None:
    """In an image R comes from the recorded packages of the system, which takes minutes."""
    reviewer = Path(shutil.copytree(frozen, tmp_path / "reviewer", symlinks=True))
    outputs = replay(reviewer, engine)
    judge(SCRIPT, outputs)
    assert all(output["verdict"] == "identical" for output in outputs.values())

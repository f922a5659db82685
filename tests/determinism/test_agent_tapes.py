"""The tapes of the agent, where there is no shim: what Python code asks for is the same in a replay."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from envfreeze import workflow
from envfreeze.observer import inject
from envfreeze.records.lock import Lock

from ._every_source import VERSIONS, environment_of
from .test_tapes import ENGINES, POOL, POOLS, PYTHON, freeze


@pytest.fixture(autouse=True)
def no_shim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inject.SWITCH, "off")
    assert inject.shim() is None


def taped(project: Path, python: Path, *command: str, **options: object) -> Lock:
    lock = freeze(project, python, *command, **options)
    assert lock.run is not None and lock.run.exit_status == 0
    assert lock.run.tapes is not None and lock.run.tapes.layers == ("agent",)
    return lock


UNTAPED = {"device", "isolated_mode", "machine", "file_times", "numbers", "children"}
"""Other programs, files of the system, and what libraries in C ask for: said in docs/determinism.md."""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("version", VERSIONS)
def test_each_program_is_the_same(version: str, engine: str, project: Path, tmp_path: Path) -> None:
    lines = ["mkdir -p out"]
    names = [*(name for name in PYTHON if name not in UNTAPED), *POOLS]
    for name in names[: -len(POOLS)]:
        (project / f"{name}_.py").write_text(textwrap.dedent(PYTHON[name]))
        lines.append(f"python {name}_.py > out/{name} 2>&1")
    (project / "pool_.py").write_text(textwrap.dedent(POOL))
    lines += [f"python pool_.py {method} > out/{method}" for method in POOLS]
    (project / "run.sh").write_text("\n".join(lines) + "\n")
    taped(project, environment_of(version, tmp_path / "venv"), "sh", "run.sh")
    run = workflow.replay(project, engine=engine)
    assert run.comparison is not None
    assert [output.path for output in run.comparison.outputs if output.verdict != "identical"] == []

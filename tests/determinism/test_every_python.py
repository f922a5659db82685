"""One program with every source of chance of Python, in each version and by each layer of the tapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from envfreeze import workflow
from envfreeze.observer import inject
from envfreeze.store import Store

from ._every_source import EVERY_VERSION, PROGRAM, environment_of
from .test_tapes import freeze


@pytest.mark.parametrize("layer", ["shim", "agent"])
@pytest.mark.parametrize("version", EVERY_VERSION)
def test_every_source_is_the_same(
    version: str, layer: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if layer == "agent":
        monkeypatch.setenv(inject.SWITCH, "off")
    elif inject.shim() is None:
        pytest.skip("this installation has no shim")
    (project / "main.py").write_text(PROGRAM)
    lock = freeze(project, environment_of(version, tmp_path / "venv"), "python", "main.py")
    assert lock.run is not None and lock.run.exit_status == 0 and lock.run.tapes is not None
    assert lock.run.tapes.layers == (layer,)
    assert {"clock", "randomness", "order of folders", "host name"} <= set(lock.run.tapes.sources)
    run = workflow.replay(project, engine="local")
    assert run.exit_status == 0
    before = Store(project).path(lock.run.stdout.sha256).read_text().splitlines()
    after = (Path(run.folder) / "stdout").read_text().splitlines()
    assert [(one, two) for one, two in zip(before, after, strict=True) if one != two] == []
    assert run.comparison and run.comparison.verdict == "identical"

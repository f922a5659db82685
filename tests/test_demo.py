"""The demo as a newcomer runs it: on the embedded engine, with packages from the index."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def demo(*options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "envfreeze", "demo", "--engine", "local", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.index
def test_the_story_goes_as_promised(tmp_path: Path) -> None:
    done = demo("--keep", tmp_path / "kept", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    story = json.loads(done.stdout)
    assert story["as_promised"] is True
    assert story["same"]["comparison"]["verdict"] == "identical"
    outputs = {output["path"]: output for output in story["changed"]["comparison"]["outputs"]}
    assert outputs["results/metrics.json"]["verdict"] == "different"
    assert "accuracy" in outputs["results/metrics.json"]["reason"]
    told = [
        line for line in done.stderr.splitlines() if line.startswith(("· 1.", "· 2.", "· 3.", "· 4.", "· 5."))
    ]
    assert len(told) == 5, done.stderr
    assert (tmp_path / "kept" / "reviewer" / "envfreeze.lock").is_file()
    assert not (tmp_path / "kept" / "author").exists(), "the author's machine is gone before the replay"


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = demo("--keep", tmp_path)
    assert done.returncode == 2
    assert "exists already" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

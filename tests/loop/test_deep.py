"""A run that only the deep trace sees in full: frozen, its original deleted, and replayed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from envfreeze.observer import tracing

from . import _packages
from .conftest import ENGINES, run

pytestmark = [
    pytest.mark.skipif(tracing.tracer() is None, reason="this installation has no tracer"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]

TOOL = r"""
#include <stdio.h>
int main(int count, char **words) {
  char line[100];
  FILE *in = fopen(words[1], "r"), *settings = fopen("scale.cfg", "r"), *out = fopen(words[2], "w");
  int scale = 1, value, sum = 0;
  if (settings) fscanf(settings, "%d", &scale);
  while (in && fscanf(in, "%d", &value) == 1) sum += value;
  fprintf(out, "%d\n", scale * sum);
  return sum == 6 ? 0 : 5;
}
"""
SCRIPT = """
import random, subprocess
subprocess.run(["bin/sum", "../shared/numbers.txt", "sum.txt"], check=True)
open("result.txt", "w").write(open("sum.txt").read() + str(random.random()))
print("done")
"""


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reviewer's folder with lock and store of a run with a static program; the author's is gone."""
    base = tmp_path_factory.mktemp("deep")
    project, shared, reviewer = base / "project", base / "shared", base / "reviewer"
    for folder in (project / "bin", shared, reviewer):
        folder.mkdir(parents=True)
    (project / "sum.c").write_text(TOOL)
    build = ["cc", "-static", "-w", "-o", "bin/sum", "sum.c"]
    if subprocess.run(build, cwd=project, capture_output=True).returncode:
        pytest.skip("no static C library here")
    (shared / "numbers.txt").write_text("1 2 3\n")
    (project / "scale.cfg").write_text("7\n")
    (project / "unread.txt").write_text("nobody reads this")
    (project / "main.py").write_text(SCRIPT)
    path = [_packages.make_environment(base / "venv")]
    words = ("freeze", "--offline", "--trace", "deep", "--", "python", "main.py")
    done = run(*words, cwd=project, path=path)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("envfreeze.lock", ".envfreeze"):
        shutil.move(project / name, reviewer / name)
    for folder in (project, shared, base / "venv"):
        shutil.rmtree(folder)
    return reviewer


def test_what_was_seen_is_shown_by_program(frozen: Path) -> None:
    lock = yaml.safe_load((frozen / "envfreeze.lock").read_text())
    seen = {entry["path"] for entry in lock["run"]["files"]["entries"]}
    numbers = f"{frozen.parent}/shared/numbers.txt"
    assert seen == {"main.py", "bin/sum", "scale.cfg", numbers}
    assert "not traced" not in (frozen / "envfreeze.lock").read_text()
    shown = run("show", "-v", cwd=frozen, env={"COLUMNS": "300"}).stdout
    lines = [line.strip() for line in shown.splitlines()]
    place = next(
        i for i, line in enumerate(lines) if line.startswith("bin/sum ../shared/numbers.txt sum.txt")
    )
    assert lines[place + 1 : place + 3] == [f"read {numbers}, scale.cfg", "wrote sum.txt"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_replay(frozen: Path, tmp_path: Path, engine: str) -> None:
    reviewer = Path(shutil.copytree(frozen, tmp_path / "reviewer", symlinks=True))
    done = run("replay", "--engine", engine, "--require", "identical", cwd=reviewer)
    assert done.returncode == 0, done.stdout + done.stderr

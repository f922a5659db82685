"""What no tape can hold is said, by name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze.observer import inject

pytestmark = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler here")
def test_a_static_program_is_named_as_outside_of_the_tapes(tmp_path: Path) -> None:
    """Nobody gives it its randomness again: lock and replay say so by its name, and the verdict is honest."""
    folder = tmp_path / "project"
    folder.mkdir()
    source = """
    #include <stdio.h>
    #include <sys/random.h>
    int main(void) { unsigned long x; getrandom(&x, sizeof x, 0); printf("%lu\\n", x); return 0; }
    """
    compiled = subprocess.run(
        ["gcc", "-static", "-x", "c", "-", "-o", folder / "draw"],
        input=source,
        text=True,
        capture_output=True,
    )
    if compiled.returncode != 0:
        pytest.skip("no static C library here")
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (folder / "t.py").write_text("import subprocess\nsubprocess.run(['./draw'], check=True)\n")

    def envfreeze(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "envfreeze", *map(str, arguments)]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)

    frozen = envfreeze("freeze", "-q", "--offline", "--no-prove", "--", environment / "bin/python", "t.py")
    assert frozen.returncode == 0, frozen.stderr
    assert "randomness and times of draw" in (folder / "envfreeze.lock").read_text()
    replayed = envfreeze("replay", "--engine", "local", "--json")
    record = json.loads(replayed.stdout)
    assert record["verdict"] == "different"
    assert any("randomness and times of draw" in note for note in record["run"]["notes"])

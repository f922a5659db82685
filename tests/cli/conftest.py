"""The command line in this process, on a project that was frozen once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from envfreeze.cli._main import run


class Said(NamedTuple):
    """What a command returned and printed."""

    code: int
    out: str
    err: str


Envfreeze = Callable[..., Said]


@pytest.fixture
def envfreeze(capfd: pytest.CaptureFixture[str]) -> Iterator[Envfreeze]:
    """Runs a command line in the current folder."""
    before = signal.getsignal(signal.SIGTERM)

    def call(*arguments: str) -> Said:
        capfd.readouterr()
        code = run(arguments)
        said = capfd.readouterr()
        return Said(code, said.out, said.err)

    yield call
    signal.signal(signal.SIGTERM, before)


def freeze_once(folder: Path, files: dict[str, str]) -> Path:
    """A project with these files, whose ``train.py`` was frozen in an environment without packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    project = folder / "project"
    project.mkdir()
    for name, text in files.items():
        (project / name).write_text(text)
    command = [
        sys.executable,
        "-m",
        "envfreeze",
        "freeze",
        "--offline",
        "--vendor-limit",
        "1",
        "--no-dockerfile",
        "-q",
        "--",
    ]
    command += [str(folder / "venv" / "bin" / "python"), "train.py"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    return project


@pytest.fixture(scope="session")
def frozen_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    train = "open('out.txt', 'w').write('1')\nprint('trained')\n"
    return freeze_once(tmp_path_factory.mktemp("cli"), {"train.py": train})


@pytest.fixture
def frozen(frozen_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A frozen project, which is the current folder."""
    folder = Path(shutil.copytree(frozen_once, tmp_path / "project"))
    monkeypatch.chdir(folder)
    return folder

"""Running envfreeze as a user does: as a process, in a project folder, on another environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


class Result(subprocess.CompletedProcess[str]):
    """A finished envfreeze process."""

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Envfreeze = Callable[..., Result]


def run(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, path: Sequence[Path] = ()
) -> Result:
    """Run envfreeze; ``path`` goes in front of PATH, as an activated environment does."""
    variables = dict(os.environ) | dict(env or {})
    variables["PATH"] = os.pathsep.join([*map(str, path), variables["PATH"]])
    command = [sys.executable, "-m", "envfreeze", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=500)
    assert "Traceback" not in done.stderr, done.stderr
    assert "fault in envfreeze" not in done.stdout + done.stderr, done.stderr
    return Result(done.args, done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def bare_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of an environment without any package."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin"


@pytest.fixture(scope="session")
def digits_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of an environment with what the digits example needs, from the index."""
    folder = tmp_path_factory.mktemp("digits") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    requirements = ROOT / "examples" / "digits" / "requirements.txt"
    subprocess.run([folder / "bin" / "pip", "install", "-q", "-r", requirements], check=True)
    return folder / "bin"


def copy_example(name: str, folder: Path) -> Path:
    """A copy of an example to work in."""
    return Path(shutil.copytree(ROOT / "examples" / name, folder / name))


def at_the_same_path(engine: str) -> bool:
    """Whether the command finds its project where it lay; without bubblewrap the local engine cannot."""
    from envfreeze.engines import _local_sandbox

    return engine == "docker" or _local_sandbox.best().startswith("bubblewrap")


@pytest.fixture(scope="session")
def no_bubblewrap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the head of PATH: its ``bwrap`` fails, as where user namespaces are forbidden."""
    folder = tmp_path_factory.mktemp("no-bubblewrap")
    (folder / "bwrap").write_text("#!/bin/sh\nexit 1\n")
    (folder / "bwrap").chmod(0o755)
    return folder


ENGINES = [pytest.param("local"), pytest.param("docker", marks=pytest.mark.engine)]

"""Environments that are put together in uncommon ways: frozen, deleted, replayed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from . import _packages
from .conftest import ENGINES, run


def judge(project: Path, engine: str, said: str) -> None:
    done = run("replay", "--engine", engine, "--require", "identical", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    replays = sorted((project / ".envfreeze" / "runs").iterdir())
    assert (replays[-1] / "stdout").read_text() == said


def freeze(project: Path, script: str, path: Path, **variables: str) -> None:
    project.mkdir()
    (project / "run.py").write_text(script)
    done = run("freeze", "--offline", "--", "python", "run.py", cwd=project, env=variables, path=[path])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_a_namespace_of_two_distributions_and_an_archive_on_the_path(tmp_path: Path, engine: str) -> None:
    wheels = [
        _packages.make_wheel(
            tmp_path / "wheels", f"space_{name}", "1.0", {f"space/{name}.py": f"HERE = '{name}'\n"}
        )
        for name in ("one", "two")
    ]
    environment = _packages.make_environment(tmp_path / "venv", *wheels)
    archive = tmp_path / "modules.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("zipped.py", "HERE = 'zipped'\n")
    script = "import space.one, space.two, zipped; print(space.one.HERE, space.two.HERE, zipped.HERE)"
    freeze(tmp_path / "project", script, environment, PYTHONPATH=str(archive))
    for gone in ("venv", "wheels"):
        shutil.rmtree(tmp_path / gone)
    archive.unlink()
    judge(tmp_path / "project", engine, "one two zipped\n")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_environment_on_top_of_another(tmp_path: Path, engine: str) -> None:
    """Packages of the interpreter below count, and the one on top hides the one below."""
    for name, version in (("below", "1.0"), ("hidden", "1.0"), ("hidden", "2.0")):
        content = {f"{name}.py": f"HERE = '{name} {version}'\n"}
        _packages.make_wheel(tmp_path / "wheels", name, version, content)
    wheels = {path.name.rpartition("-py3")[0]: path for path in (tmp_path / "wheels").iterdir()}
    _packages.make_environment(tmp_path / "base", wheels["below-1.0"], wheels["hidden-1.0"])
    environment = _packages.make_environment(tmp_path / "venv", wheels["hidden-2.0"])
    below = next((tmp_path / "base" / "lib").glob("python*")) / "site-packages"
    above = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    (above / "below.pth").write_text(f"{below}\n")
    freeze(tmp_path / "project", "import below, hidden; print(below.HERE, hidden.HERE)", environment)
    lock = yaml.safe_load((tmp_path / "project" / "envfreeze.lock").read_text())
    found = {package["name"]: package["version"] for package in lock["packages"]}
    assert found == {"below": "1.0", "hidden": "2.0"}
    for gone in ("venv", "base", "wheels"):
        shutil.rmtree(tmp_path / gone)
    judge(tmp_path / "project", engine, "below 1.0 hidden 2.0\n")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_packages_of_the_users_folder(tmp_path: Path, engine: str) -> None:
    """``pip install --user``: a virtual environment sees that folder only with the system's packages."""
    wheel = _packages.make_wheel(tmp_path / "wheels", "mine", "1.0", {"mine.py": "HERE = 'user'\n"})
    folder = tmp_path / "venv"
    command = [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", folder]
    subprocess.run(command, check=True)
    user = tmp_path / "user"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--prefix", user, wheel]
    subprocess.run(pip, check=True)
    script = "import mine; print(mine.HERE)"
    freeze(tmp_path / "project", script, folder / "bin", PYTHONUSERBASE=str(user))
    for gone in (folder, user, wheel.parent):
        shutil.rmtree(gone)
    judge(tmp_path / "project", engine, "user\n")

"""The target says itself what it is, and is found as a shell would find it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.observer import target

PLAIN = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


def program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("target") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


def distribution(folder: Path, name: str, version: str, **files: str) -> Path:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\ntext\n")
    for file, text in files.items():
        (info / file).write_text(text)
    return info


def test_it_describes_the_other_environment(venv: Path, tmp_path: Path) -> None:
    facts = target.examine(str(venv / "bin" / "python"), PLAIN, tmp_path)
    assert facts["interpreter"]["prefix"] == str(venv)
    assert facts["interpreter"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert "home = " in facts["interpreter"]["pyvenv"]
    assert facts["distributions"] == []
    assert str(Path(target.__file__).parent / "agent") not in facts["path"]


def test_variables_of_the_command_apply(venv: Path, tmp_path: Path) -> None:
    wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\nTag: py3-none-any\n"
    distribution(tmp_path / "more", "Some.Name", "1.0", WHEEL=wheel, INSTALLER="pip\n")
    distribution(tmp_path / "later", "some_name", "2.0")
    environment = PLAIN | {"PYTHONPATH": f"more:{tmp_path}/later"}
    (facts,) = target.examine(str(venv / "bin" / "python"), environment, tmp_path)["distributions"]
    assert (facts["name"], facts["version"], facts["installer"]) == ("Some.Name", "1.0", "pip")
    assert facts["tags"] == ["cp311-cp311-linux_x86_64", "py3-none-any"]
    assert not facts["purelib"]


def test_it_is_not_misled_by_what_the_environment_prints(venv: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nprint('{\"hello\": 1}')\nprint('x', file=sys.stderr)\n"
    )
    environment = PLAIN | {
        "PYTHONPATH": str(tmp_path),
        "PYTHONWARNINGS": "error",
        "PYTHONINSPECT": "1",
        "PYTHONIOENCODING": "utf-16",
    }
    assert "interpreter" in target.examine(str(venv / "bin" / "python"), environment, tmp_path)


def test_modules_in_the_working_directory_are_not_imported(venv: Path, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    assert target.examine(str(venv / "bin" / "python"), PLAIN, tmp_path)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("exit 3", "is no Python of version 3.8 or newer"),
        ("echo hello", "is no Python of version 3.8 or newer"),
    ],
)
def test_something_else_than_python(tmp_path: Path, script: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        target.examine(program(tmp_path / "other", script), PLAIN, tmp_path)


def test_what_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        target.examine(str(tmp_path / "gone"), PLAIN, tmp_path)
    with pytest.raises(InputError, match=r"the folder .*nowhere does not exist"):
        target.examine(sys.executable, PLAIN, tmp_path / "nowhere")
    (tmp_path / "text").write_text("no program")
    with pytest.raises(InputError, match="cannot be run: Permission denied"):
        target.examine(str(tmp_path / "text"), PLAIN, tmp_path)


def test_interpreter_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "TIMEOUT", 0.2)
    with pytest.raises(EnvironmentFailure, match="did not describe its environment within"):
        target.examine(program(tmp_path / "slow", "exec sleep 30"), PLAIN, tmp_path)


def test_the_active_environment_comes_first(venv: Path, tmp_path: Path) -> None:
    expected = str(venv / "bin" / "python")
    assert target.find({"VIRTUAL_ENV": str(venv), **PLAIN}) == expected
    assert target.find({"CONDA_PREFIX": str(venv), **PLAIN}) == expected
    assert target.find({"PATH": f"{venv}/bin:{PLAIN['PATH']}"}) == expected
    assert target.find({"VIRTUAL_ENV": str(tmp_path / "gone"), "PATH": f"{venv}/bin"}) == expected


def test_launchers_are_asked_for_what_is_behind_them(venv: Path, tmp_path: Path) -> None:
    program(tmp_path / "shims" / "python", f'exec {venv}/bin/python "$@"')
    assert target.find({"PATH": f"{tmp_path}/shims"}) == str(venv / "bin" / "python")


def test_python_that_does_not_work_is_passed_over(venv: Path, tmp_path: Path) -> None:
    program(tmp_path / "shims" / "python", "echo 'pyenv: python: command not found'; exit 127")
    program(tmp_path / "old" / "python", "exit 0")
    path = f"{tmp_path}/shims:{tmp_path}/old:{venv}/bin"
    assert target.find({"PATH": path}) == str(venv / "bin" / "python")


def test_no_python(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Python was found on PATH"):
        target.find({"PATH": str(tmp_path)})

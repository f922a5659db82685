"""``environment.yml`` of conda.

One that takes only Python and pip from conda needs no conda at all: Python is the base image's. For anything
more conda-lock does the resolving, when it is installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.sources import Contents, Machine, Source, conda_lock
from envfreeze.sources._compile import resolve
from envfreeze.sources._read import yaml

_OF_THE_IMAGE = {"python", "pip", "setuptools", "wheel", "conda"}
"""What a Python image has by itself."""
_PACKAGE = re.compile(r"(?:[\w./:-]+::)?([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(.*)")
TIMEOUT = 1800.0


def _recognises(path: Path) -> bool:
    is_yaml = path.suffix in {".yml", ".yaml"}
    return is_yaml and "dependencies" in yaml(path)


def _requires_python(path: Path) -> str:
    """``python=3.10`` means any 3.10 (conda's match specifications)."""
    said = dict(_conda_part(path)).get("python", "").replace(" ", "")
    if re.fullmatch(r"={1,2}\d+(\.\d+)*(\.\*)?", said):
        version = said.lstrip("=").removesuffix(".*")
        return f"=={version}" if version.count(".") > 1 else f"=={version}.*"
    return said if said and not said.startswith("=") and not said[0].isdigit() else ""


def _conda_part(path: Path) -> list[tuple[str, str]]:
    found = []
    for line in _dependencies(path):
        if isinstance(line, str):
            match = _PACKAGE.fullmatch(line.strip())
            if match is None:
                raise InputError(f"{path}: {line!r} is no requirement of conda.")
            found.append((match[1].lower(), match[2]))
    return found


def _dependencies(path: Path) -> list[Any]:
    value = yaml(path).get("dependencies")
    if not isinstance(value, list):
        raise InputError(f"{path} has no list of dependencies.")
    return value


def _pip_part(path: Path) -> list[str]:
    return [
        str(line)
        for entry in _dependencies(path)
        if isinstance(entry, dict)
        for line in entry.get("pip") or []
    ]


def _read(path: Path, machine: Machine) -> Contents:
    if others := sorted({name for name, _ in _conda_part(path)} - _OF_THE_IMAGE):
        return _by_conda_lock(path, machine, others)
    lines = _pip_part(path)
    if not lines:
        return Contents(pins=())
    # Beside the original, as lines may name other files relative to it.
    with tempfile.NamedTemporaryFile(
        "w", suffix=".in", dir=path.absolute().parent, encoding="utf-8"
    ) as stream:
        stream.write("".join(f"{line}\n" for line in lines))
        stream.flush()
        try:
            return resolve(Path(stream.name), machine)
        except InputError as error:
            raise InputError(str(error).replace(Path(stream.name).name, path.name), hint=error.hint) from None


def _by_conda_lock(path: Path, machine: Machine, others: list[str]) -> Contents:
    program = shutil.which("conda-lock")
    if program is None:
        raise EnvironmentFailure(
            f"{path.name} takes {', '.join(others[:5])} from conda, and resolving that needs conda-lock.",
            hint="Install it: pipx install conda-lock",
        )
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "conda-lock.yml")
        words = [program, "lock", "-f", str(path.absolute()), "-p", "linux-64", "--lockfile", str(made)]
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentFailure(f"conda-lock took longer than {TIMEOUT:.0f} seconds.") from None
        if done.returncode != 0 or not made.is_file():
            said = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
            raise InputError(f"conda-lock cannot resolve {path.name}: {said}")
        contents = conda_lock.SOURCE.read(made, machine)
    name = str(yaml(path).get("name") or "base")
    conda = contents.conda and msgspec.structs.replace(contents.conda, name=name)
    return msgspec.structs.replace(contents, conda=conda)


SOURCE = Source(name="environment.yml", recognises=_recognises, requires_python=_requires_python, read=_read)

"""Finds an interpreter of a given version among those that are installed on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from envfreeze.errors import EnvironmentFailure
from envfreeze.records.base import Record


class Python(Record):
    """An installed interpreter, as it describes itself."""

    executable: str
    """The installation's own executable, also when it was found through a virtual environment."""
    version: str
    implementation: str
    prefix: str
    """``sys.base_prefix``: where its standard library lies."""


_QUESTION = """\
import json, platform, sys
print(json.dumps([getattr(sys, "_base_executable", None) or sys.executable, platform.python_version(),
    platform.python_implementation(), getattr(sys, "base_prefix", sys.prefix)]))
"""

_INSTALLATIONS = (
    # Where version managers put interpreters, below the home folder.
    ".pyenv/versions/*",
    ".local/share/uv/python/*",
    ".asdf/installs/python/*",
    ".local/share/mise/installs/python/*",
    "miniconda3",
    "miniconda3/envs/*",
    "anaconda3",
    "anaconda3/envs/*",
    "miniforge3",
    "miniforge3/envs/*",
    "micromamba/envs/*",
)
_ROOTS = ("opt/*", "opt/conda/envs/*", "opt/python/*", "usr/local", "usr")


def find(version: str, implementation: str = "CPython") -> Python:
    """An interpreter of exactly this version, or else of the nearest patch release of the same minor version.

    Args:
        version: full version, for example ``3.11.7``.
        implementation: ``platform.python_implementation()``.

    Raises:
        EnvironmentFailure: there is none of that minor version.
    """
    near: list[Python] = []
    for candidate in _candidates(version):
        python = ask(candidate)
        if python is None or python.implementation != implementation:
            continue
        if python.version == version:
            return python
        if _minor(python.version) == _minor(version):
            near.append(python)
    if near:
        return min(near, key=lambda python: abs(_patch(python.version) - _patch(version)))
    raise EnvironmentFailure(
        f"this machine has no Python {_minor(version)}, which the lock needs (exactly: {version}).",
        hint=f"Install it with: uv python install {version}",
    )


def ask(executable: str) -> Python | None:
    """What an interpreter says about itself; None when it does not start."""
    try:
        answer = subprocess.run(
            [executable, "-I", "-c", _QUESTION],
            capture_output=True,
            timeout=20,
            stdin=subprocess.DEVNULL,
            check=True,
        )
        base, version, implementation, prefix = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Python(executable=base, version=version, implementation=implementation, prefix=prefix)


def _candidates(version: str) -> Iterator[str]:
    """Executables that may be the one, the likely ones first, each installation once."""
    seen: set[str] = set()
    for path in [sys.executable, *_on_path(version), *_installed(version)]:
        real = os.path.realpath(path)
        if real not in seen and os.access(path, os.X_OK):
            seen.add(real)
            yield path


def _on_path(version: str) -> list[str]:
    folders = [folder for folder in os.get_exec_path() if not folder.endswith("/shims")]
    names = (f"python{_minor(version)}", "python3", "python", "pypy3")
    return [found for name in names for folder in folders if (found := shutil.which(name, path=folder))]


def _installed(version: str) -> list[str]:
    """Interpreters of version managers; one whose folder is named after another minor version is left out."""
    folders = [found for pattern in _INSTALLATIONS for found in Path.home().glob(pattern)]
    for variable, pattern in (("PYENV_ROOT", "versions/*"), ("UV_PYTHON_INSTALL_DIR", "*")):
        if root := os.environ.get(variable):
            folders += Path(root).glob(pattern)
    folders += [found for pattern in _ROOTS for found in Path("/").glob(pattern)]
    folders.sort(key=lambda folder: version not in folder.name)
    names = (f"python{_minor(version)}", "python3", "pypy3")
    paths = [folder / "bin" / name for folder in folders for name in names]
    return [str(path) for path in paths if path.exists()]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _patch(version: str) -> int:
    digits = [*version.split("."), "0"][2]
    number = "".join(character for character in digits if character.isdigit())
    return int(number or 0)

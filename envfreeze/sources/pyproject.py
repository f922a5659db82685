"""``pyproject.toml``: the project's dependencies (PEP 621); the project itself is code, no environment."""

from __future__ import annotations

from pathlib import Path

from envfreeze.errors import InputError
from envfreeze.sources import Contents, Machine, Source
from envfreeze.sources._compile import resolve
from envfreeze.sources._read import table, toml


def _recognises(path: Path) -> bool:
    return path.name == "pyproject.toml"


def _requires_python(path: Path) -> str:
    return str(table(toml(path).get("project")).get("requires-python", ""))


def _read(path: Path, machine: Machine) -> Contents:
    content = toml(path)
    if not table(content.get("project")) and not table(table(content.get("tool")).get("poetry")):
        raise InputError(
            f"{path} has no [project] table, so it names no dependencies.",
            hint="Give a requirements file instead.",
        )
    return resolve(path, machine)


SOURCE = Source(name="pyproject.toml", recognises=_recognises, requires_python=_requires_python, read=_read)

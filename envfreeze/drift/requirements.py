"""What the project's own files ask for: a lock that does not meet them any more has to be made anew.

Needs no environment, so that it can be asked in a fresh clone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from envfreeze.drift import Area, Here, Looked
from envfreeze.recipe.requirements import LEFT_OUT
from envfreeze.records.status import Change


def look(here: Here) -> Looked:
    """Compare ``requirements.txt`` and ``project.dependencies`` of ``pyproject.toml`` with the lock."""
    frozen = {str(canonicalize_name(package.name)): package.version for package in here.lock.packages}
    if here.lock.conda is not None:
        frozen |= {
            str(canonicalize_name(package.name)): package.version
            for package in here.lock.conda.packages
            if str(canonicalize_name(package.name)) not in frozen
        }
    version = here.lock.interpreter.version.removesuffix("+")
    markers = {"python_version": ".".join(version.split(".")[:2]), "python_full_version": version}
    changes, count, notes = [], 0, []
    for where, text in _asked(here.project):
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            notes.append(f"{where}: {text!r} cannot be read as a requirement")
            continue
        name = str(canonicalize_name(wanted.name))
        if name in LEFT_OUT or (wanted.marker and not wanted.marker.evaluate(dict(markers))):
            continue
        count += 1
        if name not in frozen:
            changes.append(
                Change(area="requirements", name=wanted.name, what="new", now=f"{where} asks for it")
            )
        elif not wanted.specifier.contains(frozen[name], prereleases=True):
            asked = f"{where} asks for {wanted.specifier}"
            changes.append(
                Change(area="requirements", name=wanted.name, what="changed", frozen=frozen[name], now=asked)
            )
    for where, specifier in _python(here.project):
        count += 1
        if not specifier.contains(version, prereleases=True):
            changes.append(
                Change(
                    area="requirements",
                    name="python",
                    what="changed",
                    frozen=version,
                    now=f"{where} asks for {specifier}",
                )
            )
    return Looked(count=count, changes=tuple(changes), notes=tuple(notes))


def _asked(project: Path) -> Iterator[tuple[str, str]]:
    """File and requirement; options, other files and bare addresses are left out."""
    name = "requirements.txt"
    for line in _read(project / name).replace("\\\n", " ").splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        text = re.split(r"\s--?\w", text)[0].strip()
        if text and not text.startswith("-") and not re.match(r"[\w+]+://|[./]", text):
            yield name, text
    listed = _pyproject(project).get("dependencies")
    for text in listed if isinstance(listed, list) else ():
        yield "pyproject.toml", str(text)


def _python(project: Path) -> Iterator[tuple[str, SpecifierSet]]:
    asked = _pyproject(project).get("requires-python")
    if isinstance(asked, str):
        try:
            yield "pyproject.toml", SpecifierSet(asked)
        except InvalidSpecifier:
            return


def _pyproject(project: Path) -> dict[str, object]:
    try:
        found = tomllib.loads(_read(project / "pyproject.toml")).get("project", {})
    except tomllib.TOMLDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


AREA = Area(
    name="requirements", summary="requirements.txt and pyproject.toml, held against the lock", look=look
)

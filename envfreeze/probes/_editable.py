"""Where the modules of an editable install lie: PEP 660 path files and finders, and ``setup.py develop``."""

from __future__ import annotations

import ast
import configparser
import csv
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from envfreeze.errors import ProbeError
from envfreeze.tree import ENVIRONMENT_MARKS, IGNORED_FOLDERS

_NOT_INSTALLED = {"setup", "conftest", "noxfile", "fabfile", "tasks", "tests", "test", "docs", "doc"}
_NOT_INSTALLED |= {"examples", "example", "benchmarks", "build", "dist", "scripts", "tools"}
"""What projects keep beside their packages and do not install."""


def is_editable(facts: dict[str, Any]) -> bool:
    """By direct_url.json (PEP 610), an egg-link, or an egg-info that lies in a source tree."""
    if facts["egg_link"]:
        return True
    if facts["path"].endswith(".egg-info") and not facts["location"].endswith(
        ("site-packages", "dist-packages")
    ):
        return True
    return bool(direct_url(facts).get("dir_info", {}).get("editable"))


def direct_url(facts: dict[str, Any]) -> dict[str, Any]:
    """The content of direct_url.json; empty when there is none or it is not readable."""
    try:
        value = json.loads(facts["direct_url"] or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def sources(facts: dict[str, Any]) -> dict[str, Path]:
    """Files of an editable install: name inside of a wheel (``package/module.py``), and where it lies.

    Raises:
        ProbeError: the install is editable in a way that is not known here.
    """
    found: dict[str, Path] = {}
    for module, path in _modules(facts):
        inside = module.replace(".", "/")
        if path.is_dir():
            found |= {f"{inside}/{name}": file for name, file in _walk(path)}
        elif path.is_file():
            parent = inside.rpartition("/")[0]
            found[f"{parent}/{path.name}" if parent else path.name] = path
    if not found:
        raise ProbeError("it is an editable install whose modules were not found")
    return found


def _modules(facts: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    """Dotted names of modules and packages, each with its file or folder."""
    location = Path(facts["location"])
    if facts["path"].endswith(".egg-info"):
        yield from _beside(Path(facts["egg_link"] or location), facts, flat=True)
        return
    address = urlsplit(str(direct_url(facts).get("url", "")))
    project = Path(unquote(address.path)) if address.scheme == "file" else None
    for name in _recorded(facts):
        file = location / name
        if name.endswith(".pth"):
            for line in _text(file).splitlines():
                root = Path(location, line.strip())
                if line.strip() and not re.match(r"(#|import\s)", line) and root.is_dir():
                    yield from _beside(root, facts, flat=root == project)
        elif name.startswith("__editable__") and name.endswith("_finder.py"):
            yield from _mapped(_text(file))


def _recorded(facts: dict[str, Any]) -> list[str]:
    rows = csv.reader(_text(Path(facts["path"], "RECORD")).splitlines())
    return [row[0] for row in rows if row and "/" not in row[0]]


def _mapped(source: str) -> Iterator[tuple[str, Path]]:
    """``MAPPING`` of a setuptools finder, read as a literal and never run."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        value = getattr(node, "value", None)
        if "MAPPING" in names and isinstance(value, ast.Dict):
            for module, path in ast.literal_eval(value).items():
                yield from _module(str(module), Path(path))


def _module(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """A package's folder, or a module's file with the suffix that the finder leaves off."""
    if path.exists():
        yield name, path
        return
    for file in sorted(path.parent.glob(f"{path.name}.*")):
        if file.suffix in {".py", ".so"}:
            yield name, file


def _beside(root: Path, facts: dict[str, Any], *, flat: bool) -> Iterator[tuple[str, Path]]:
    """Packages and modules in a folder of the path.

    A ``src`` folder holds nothing else. In a project's own folder (``flat``) the names that the distribution
    gives are taken, or else all that is importable but for what projects keep beside their packages.
    """
    importable = {}
    for path in sorted(root.iterdir()):
        name = path.name.partition(".")[0] if path.is_file() else path.name
        is_module = path.is_file() and path.suffix in {".py", ".so"}
        if name.isidentifier() and (is_module or (path.is_dir() and name not in IGNORED_FOLDERS)):
            importable[path] = name
    wanted = _names(facts)
    chosen = {path: name for path, name in importable.items() if name in wanted and _has_code(path)}
    if not flat:
        chosen = {path: name for path, name in importable.items() if _has_code(path)}
    elif not chosen:
        chosen = {
            path: name
            for path, name in importable.items()
            if name not in _NOT_INSTALLED and (path.is_file() or (path / "__init__.py").exists())
        }
    for path, name in chosen.items():
        yield name, path


def _has_code(path: Path) -> bool:
    """True for a module, and for a package or namespace with one at most one level down."""
    return path.is_file() or any(any(path.glob(pattern)) for pattern in ("*.py", "*.so", "*/*.py", "*/*.so"))


def _names(facts: dict[str, Any]) -> set[str]:
    """Top-level modules by top_level.txt, by the entry points, and by the distribution's own name."""
    names = {
        *facts["top_level"],
        re.sub(r"[-.]+", "_", facts["name"]),
        facts["name"].lower().replace("-", "_"),
    }
    points = configparser.RawConfigParser(delimiters=("=",))
    try:
        points.read_string(_text(Path(facts["path"], "entry_points.txt")))
    except configparser.Error:
        return names
    for section in points.sections():
        names |= {re.split(r"[.:\s]", value.strip())[0] for _, value in points.items(section)}
    return names


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    for folder, folders, names in os.walk(root):
        if any(mark in names or mark in folders for mark in ENVIRONMENT_MARKS):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if name not in IGNORED_FOLDERS)
        for name in sorted(names):
            file = Path(folder, name)
            if not name.endswith((".pyc", ".pyo")) and file.is_file():
                yield file.relative_to(root).as_posix(), file


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

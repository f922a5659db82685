"""Code on the target's path that belongs to no distribution, so that installing them does not bring it."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envfreeze.probes import Target
from envfreeze.probes._proof import installed_record
from envfreeze.records.files import Gap

_OF_TOOLS = {
    "__pycache__",
    "easy-install.pth",
    "_virtualenv.py",
    "_virtualenv.pth",
    "README.txt",
    "distutils-precedence.pth",
}
"""What environments and installers put there by themselves; ``~name`` is what pip leaves behind."""

_CODE = (".py", ".pth", ".so", ".zip", ".egg")


def strays(target: Target) -> Iterator[Gap]:
    """What lies beside the distributions in their folders, and archives that modules are imported from."""
    for folder in _folders(target):
        if names := sorted(_unowned(folder, target.facts["distributions"])):
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            why = "no distribution lists it, so that a replay goes without it"
            yield Gap(what=f"{shown} in {folder}", why=why)
    for entry in target.facts["path"]:
        outside = not Path(entry).is_relative_to(target.project)
        if outside and entry not in _standard(target) and Path(entry).is_file():
            why = "modules are imported from this archive on the path, and no distribution lists it"
            yield Gap(what=entry, why=why)


def _folders(target: Target) -> list[str]:
    """Folders that distributions are installed in and that all of them list their files in.

    Those of an operating system hold much that has no list, so nothing is said of them.
    """
    site = target.facts["site"]
    found = {os.path.normpath(site[name]) for name in ("purelib", "platlib")}
    found |= {os.path.normpath(entry) for entry in target.facts["path"]}  # the user's own site, too
    found |= {said["location"] for said in target.facts["distributions"] if said.get("installer")}
    unlisted = {
        said["location"]
        for said in target.facts["distributions"]
        if "error" in said or not (said["egg_link"] or _top_level(said))
        if "location" in said
    }
    return sorted(
        folder
        for folder in found
        if folder.endswith("site-packages") and folder not in unlisted and Path(folder).is_dir()
    )


def _standard(target: Target) -> set[str]:
    """``python311.zip`` is on every path and seldom there (PEP 273)."""
    return {entry for entry in target.facts["path"] if Path(entry).name.startswith("python3")}


def _unowned(folder: str, distributions: list[dict[str, Any]]) -> Iterator[str]:
    owned = {name for said in distributions if said.get("location") == folder for name in _top_level(said)}
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name in owned or name in _OF_TOOLS or name.startswith("~") or name.endswith(_METADATA):
                continue
            if entry.is_dir():
                if any(file.suffix in _CODE for file in Path(entry.path).rglob("*")):
                    yield f"{name}/"
            elif name.endswith(_CODE):
                yield name


_METADATA = (".dist-info", ".egg-info", ".egg-link")


def _top_level(said: dict[str, Any]) -> set[str]:
    """First parts of the paths of a distribution's files; empty when it has no list of them."""
    if record := installed_record(said["path"]):
        return {row[0].partition("/")[0] for row in csv.reader(record.splitlines()) if row}
    return {form for name in said["top_level"] for form in (name, f"{name}.py", f"{name}.so")}

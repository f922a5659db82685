"""The operating system below the interpreter, and its packages whose shared libraries the run loaded."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path

from envfreeze.probes import Probe, Section, Target
from envfreeze.probes._owners import Owner, owners, unpacked
from envfreeze.probes._system_files import keep
from envfreeze.records.environment import System, SystemPackage

_SHARED_PREFIXES = {"/", "/usr", "/usr/local"}
"""A Python that is installed here shares its folder with the system's own libraries."""


def inspect(target: Target) -> Section:
    """Read os-release(5), ask the kernel, and ask the package manager for the owners of the libraries."""
    import psutil

    libraries = _of_the_system(target)
    found = owners(libraries)
    unowned = tuple(path for path in libraries if path not in found)
    kept = keep(unowned, target, managed=bool(found))
    return Section(
        value=System(
            distribution=_distribution(),
            kernel=platform.release(),
            architecture=platform.machine(),
            memory=psutil.virtual_memory().total,
            packages=_packages(found),
            unowned=unowned,
            files=kept.files,
            library_path=kept.library_path,
            time_zone=kept.time_zone,
        ),
        gaps=kept.gaps,
    )


def _distribution() -> str:
    """``ID`` and ``VERSION_ID``; rolling distributions have no version."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    return f"{release.get('ID', '')} {release.get('VERSION_ID', '')}".strip()


def _packages(found: dict[str, Owner]) -> tuple[SystemPackage, ...]:
    libraries: dict[Owner, list[str]] = {}
    for path, owner in sorted(found.items()):
        libraries.setdefault(owner, []).append(path)
    since = unpacked([owner.name for owner in libraries if owner.manager == "dpkg"])
    return tuple(
        SystemPackage(
            name=owner.name,
            version=owner.version,
            manager=owner.manager,
            libraries=tuple(libraries[owner]),
            installed=since.get(owner.name, ""),
        )
        for owner in sorted(libraries)
    )


def _of_the_system(target: Target) -> list[str]:
    """Loaded libraries outside of Python's own folders, as those are described by the packages."""
    folders = list(_python_folders(target))
    return sorted(
        path
        for path in set(target.libraries)
        if not any(path.startswith(folder) for folder in folders)
        and not Path(path).name.startswith("libpython")
    )


def _python_folders(target: Target) -> Iterable[str]:
    said, site = target.facts["interpreter"], target.facts["site"]
    prefixes = {said["prefix"], said["base_prefix"]} - _SHARED_PREFIXES
    standard = (site[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    project = {str(target.project), target.directory}
    path = (entry for entry in target.facts["path"] if entry not in project)
    own = str(Path(__file__).parents[1])
    for folder in {*prefixes, *standard, *path, own}:
        for spelling in {folder, os.path.realpath(folder)} - _SHARED_PREFIXES:
            yield spelling.rstrip("/") + "/"


PROBE = Probe(section="system", inspect=inspect)

"""One environment for experiments whose environments differ only in what each happened to use of one machine.

matplotlib opens every font of the system once in a user's life and reads its own cache afterwards, so that
two figures of one afternoon record different files of the same system. Together they are nearer to that
machine than either alone; what they disagree on, or comes from different systems, stays apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from envfreeze.records.environment import System, SystemPackage
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import Recipe


def united(locks: Mapping[str, tuple[Lock, Path]], recipe_of: Callable[[Lock], Recipe]) -> dict[str, Lock]:
    """The locks by experiment, with one system for those that can share it.

    Args:
        locks: each experiment's lock, and the folder that its store lies in.
        recipe_of: makes the recipe of a lock.

    Raises:
        InputError: a lock cannot be built.
    """
    groups: dict[tuple[str, Path], list[str]] = {}
    for name, (lock, folder) in locks.items():
        bare = msgspec.structs.replace(lock, system=_bare(lock.system))
        groups.setdefault((recipe_of(bare).environment_id, folder), []).append(name)
    made = {name: lock for name, (lock, _) in locks.items()}
    for names in (names for names in groups.values() if len(names) > 1):
        systems = [made[name].system for name in names]
        together = _union(systems)
        if together is not None and any(_bare(system) != _bare(systems[0]) for system in systems):
            together = None
        for name in names if together is not None else ():
            made[name] = msgspec.structs.replace(made[name], system=_with(made[name].system, together))
    return made


def _bare(system: System) -> System:
    """Where a run was, without what it used there."""
    return System(
        distribution=system.distribution, architecture=system.architecture, time_zone=system.time_zone
    )


def _with(system: System, shared: System | None) -> System:
    if shared is None:
        return system
    return msgspec.structs.replace(
        system, packages=shared.packages, files=shared.files, library_path=shared.library_path
    )


def _union(systems: list[System]) -> System | None:
    """All that was used by any of them; None when they disagree on a version, a content or an order."""
    packages: dict[tuple[str, str], SystemPackage] = {}
    files: dict[str, FileEntry] = {}
    paths: tuple[str, ...] = ()
    for system in systems:
        for package in system.packages:
            known = packages.setdefault((package.manager, package.name), package)
            if (known.version, known.installed) != (package.version, package.installed):
                return None
            libraries = tuple(sorted({*known.libraries, *package.libraries}))
            packages[package.manager, package.name] = msgspec.structs.replace(known, libraries=libraries)
        for entry in system.files:
            if files.setdefault(entry.path, entry) != entry:
                return None
        longer, shorter = sorted((paths, system.library_path), key=len, reverse=True)
        if [path for path in longer if path in shorter] != list(shorter):
            return None
        paths = longer
    return System(
        packages=tuple(package for _, package in sorted(packages.items(), key=lambda item: item[1].name)),
        files=tuple(entry for _, entry in sorted(files.items())),
        library_path=paths,
    )

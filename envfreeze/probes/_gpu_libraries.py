"""The libraries of CUDA or ROCm that a run loaded: which version, and what brought them."""

from __future__ import annotations

import contextlib
import csv
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from envfreeze.gpu_files import Kind, library
from envfreeze.probes import Target
from envfreeze.probes._owners import owners
from envfreeze.records.environment import GpuLibrary

_CARRIERS = re.compile(r"(nvidia|cuda|rocm)[-_].*")
"""Distributions whose whole content are such libraries; their folders have other names than they."""
_SYSTEM = ("/usr/", "/lib/", "/lib64/", "/opt/", "/nix/", "/gnu/")


def loaded(target: Target, kind: Kind) -> tuple[GpuLibrary, ...]:
    """Sorted by name; several processes may have loaded different copies of one."""
    paths = [path for path in sorted(target.libraries) if (named := library(path)) and named.kind == kind]
    of_wheels = dict(_of_wheels(paths, target))
    conda = _conda_prefixes(target)
    elsewhere = [path for path in paths if path not in of_wheels and not path.startswith(conda)]
    packages = {path: f"{owner.name} {owner.version}" for path, owner in owners(elsewhere).items()}
    found = []
    for path in paths:
        named = library(path)
        assert named is not None
        origin: Any = "other"
        package = of_wheels.get(path) or packages.get(path, "")
        if path in of_wheels:
            origin = "wheel"
        elif path.startswith(conda):
            origin = "conda"
        elif package or path.startswith(_SYSTEM):
            origin = "system"
        found.append(
            GpuLibrary(
                name=named.name,
                version=_version(named.version, package),
                origin=origin,
                package=package,
                path=path,
            )
        )
    return tuple(sorted(found, key=lambda item: (item.name, item.path)))


def full_version(libraries: Sequence[GpuLibrary], name: str) -> str:
    """The version of a loaded library, when it is known to the patch; a file's name may only say ``12``."""
    versions = (item.version for item in libraries if item.name == name)
    return next((version for version in versions if version.count(".") >= 2), "")


def _version(by_name: str, package: str) -> str:
    """The more exact of the file's name, and the version of a package of nothing but such libraries.

    A package of the system has a revision and an epoch besides (``1:8.9.7.29-1+cuda12.2``, deb-version(7)).
    """
    name, _, version = package.rpartition(" ")
    version = version.rpartition(":")[2].partition("-")[0].partition("+")[0]
    is_carrier = bool(_CARRIERS.fullmatch(name)) or name.startswith("lib")
    same = version == by_name or version.startswith(f"{by_name}.")
    return version if is_carrier and same and version.count(".") > by_name.count(".") else by_name


def _of_wheels(paths: Sequence[str], target: Target) -> Iterator[tuple[str, str]]:
    """Path and distribution: by RECORD of the distributions of libraries, by the folder's name of others."""
    known = [facts for facts in target.facts.get("distributions", ()) if "name" in facts]
    for location in dict.fromkeys(facts["location"] for facts in known):
        prefix = f"{os.path.realpath(location)}/"
        inside = {path.removeprefix(prefix): path for path in paths if path.startswith(prefix)}
        if not inside:
            continue
        here = [facts for facts in known if facts["location"] == location]
        owned: dict[str, str] = {}
        for facts in here:
            for name in _carried(facts) & inside.keys() or _in_own_folder(facts, inside):
                owned.setdefault(name, f"{_plain(facts['name'])} {facts['version']}")
        for name, path in inside.items():
            yield path, owned.get(name, "a package of Python")


def _carried(facts: dict[str, Any]) -> set[str]:
    """Paths of a distribution's RECORD (PEP 376), relative to its location."""
    if not _CARRIERS.fullmatch(facts["name"].lower()):
        return set()
    record = Path(facts.get("path", ""), "RECORD")
    with contextlib.suppress(OSError, csv.Error), record.open(newline="") as stream:
        return {row[0] for row in csv.reader(stream) if row}
    return set()


def _in_own_folder(facts: dict[str, Any], inside: dict[str, str]) -> set[str]:
    """``torch/lib/libcudart-d0da41ae.so.11.0`` and ``torch.libs/…`` are torch's."""
    folders = {facts["name"], facts["name"].replace("-", "_"), *facts.get("top_level", ())}
    folders |= {f"{folder}.libs" for folder in folders}
    return {name for name in inside if PurePosixPath(name).parts[0] in folders}


def _plain(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _conda_prefixes(target: Target) -> tuple[str, ...]:
    """Folders of the target's conda environment, of which a virtual environment may be made."""
    said = target.facts.get("interpreter", {})
    prefixes = {said.get("prefix", ""), said.get("base_prefix", "")} - {""}
    return tuple(
        f"{os.path.realpath(prefix)}/" for prefix in sorted(prefixes) if Path(prefix, "conda-meta").is_dir()
    )

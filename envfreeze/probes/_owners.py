"""Which packages of the operating system own some files: one question for all files to each manager."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

Manager = Literal["dpkg", "rpm", "apk"]

TIMEOUT = 20.0
"""Seconds; a package database on a cold disk needs a few."""


class Owner(NamedTuple):
    """A package of the system."""

    name: str
    version: str
    manager: Manager


def owners(paths: Sequence[str]) -> dict[str, Owner]:
    """The owner of each path that has one, by the first package manager that is installed here.

    A file is asked for by each name that it may have in the database: as given, with links resolved, and with
    and without ``/usr`` in front (Debian's merged ``/usr`` keeps the old names).
    """
    spellings = {name: path for path in paths for name in _spellings(path)}
    if not spellings:
        return {}
    for program, ask in _MANAGERS.items():
        if shutil.which(program):
            found = ask(sorted(spellings))
            return {spellings[name]: owner for name, owner in sorted(found.items()) if name in spellings}
    return {}


def _spellings(path: str) -> set[str]:
    names = {path, os.path.realpath(path)}
    return names | {
        name.removeprefix("/usr") if name.startswith("/usr/lib") else f"/usr{name}"
        for name in names
        if name.startswith(("/usr/lib", "/lib"))
    }


def _dpkg(paths: list[str]) -> dict[str, Owner]:
    """``dpkg-query -S`` prints ``package[, package]: path``; those without an owner go to standard error."""
    packages: dict[str, str] = {}
    for line in _lines("dpkg-query", "-S", *paths):
        names, _, path = line.rpartition(": ")
        if names and not names.startswith("diversion by"):
            packages[path] = names.split(", ")[0]
    if not packages:
        return {}
    form = "${binary:Package}\t${Version}\n"
    known = _lines("dpkg-query", "-W", f"-f={form}", *sorted(set(packages.values())))
    versions = dict(line.split("\t", 1) for line in known if "\t" in line)
    versions |= {name.partition(":")[0]: version for name, version in versions.items()}
    return {
        path: Owner(name.partition(":")[0], versions.get(name, ""), "dpkg") for path, name in packages.items()
    }


def unpacked(names: Sequence[str]) -> dict[str, str]:
    """When dpkg unpacked each package here, UTC: the time of its list of files (dpkg(1), INFO files)."""
    found = {}
    for name in names:
        lists = [*_DPKG.glob(f"{name}.list"), *_DPKG.glob(f"{name}:*.list")]
        times = [path.stat().st_mtime for path in lists]
        if times:
            found[name] = f"{datetime.fromtimestamp(max(times), UTC):%Y-%m-%dT%H:%M:%SZ}"
    return found


_DPKG = Path("/var/lib/dpkg/info")


def loader_cache() -> set[str]:
    """Paths of the libraries in the loader's cache (ldconfig(8), ``-p``)."""
    program = shutil.which("ldconfig", path=f"{os.environ.get('PATH', os.defpath)}:/sbin:/usr/sbin")
    lines = _lines(program, "-p") if program else []
    return {line.rpartition(" => ")[2] for line in lines if " => " in line}


def _rpm(paths: list[str]) -> dict[str, Owner]:
    """``rpm -qf`` answers one line a path, in order; a path without an owner gets a sentence."""
    lines = _lines("rpm", "-qf", "--qf", "%{NAME}\t%{VERSION}-%{RELEASE}\n", *paths)
    if len(lines) != len(paths):
        return {}
    pairs = ((path, line.split("\t", 1)) for path, line in zip(paths, lines, strict=True) if "\t" in line)
    return {path: Owner(name, version, "rpm") for path, (name, version) in pairs}


def _apk(paths: list[str]) -> dict[str, Owner]:
    """``apk info -W`` prints ``path is owned by name-version-rN``; links say ``symlink target is owned``."""
    found = {}
    for line in _lines("apk", "info", "-W", *paths):
        if match := re.match(r"(.+?)(?: symlink target)? is owned by (.+)-([^-]+-r\d+)$", line):
            found[match[1]] = Owner(match[2], match[3], "apk")
    return found


_MANAGERS: dict[str, Callable[[list[str]], dict[str, Owner]]] = {
    "dpkg-query": _dpkg,
    "rpm": _rpm,
    "apk": _apk,
}


def _lines(*command: str) -> list[str]:
    """Standard output in lines; empty when the manager fails or hangs."""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    try:
        finished = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return finished.stdout.decode("utf-8", "surrogateescape").splitlines()

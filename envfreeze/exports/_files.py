"""What the exports share: the lock's packages as checked files, and where they are had from.

Locks come from strangers and what is written here is fed to installers, so nothing unchecked gets through.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version

from envfreeze.errors import InputError
from envfreeze.probes.pip import DEFAULT_INDEX
from envfreeze.recipe.requirements import LEFT_OUT, requirements
from envfreeze.records.base import Record
from envfreeze.records.environment import Package
from envfreeze.records.lock import Lock
from envfreeze.redact import url_without_credentials

MADE_BY = "Made by envfreeze from envfreeze.lock"

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
_URL = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!&'()*+,;=%]+")


class PackageFile(Record):
    """One package, ready to be written: all fields are checked."""

    name: str
    version: str
    file: str
    sha256: str
    wheel: bool
    place: str
    """URL of the file, or its path relative to the export when it is vendored."""
    vendored: bool
    direct: bool
    """True when it is on no index, and so is named by its address."""
    index: str
    """URL of the index that offers it, or would."""


def package_files(lock: Lock, wheels: str) -> tuple[PackageFile, ...]:
    """The packages by name, without pip itself.

    Raises:
        InputError: some cannot be installed again, or the lock holds what no installer may be fed.
    """
    requirements(lock)  # refuses what cannot be installed, with all of its names in one sentence
    wanted = sorted((package.name, package) for package in lock.packages if package.name not in LEFT_OUT)
    return tuple(_file(package, wheels) for _, package in wanted)


def _file(package: Package, wheels: str) -> PackageFile:
    file = package.file or ""
    if not _FILE.fullmatch(file):
        raise InputError(f"{file!r} of {package.name} is no name of a file.", hint=_FREEZE_AGAIN)
    return PackageFile(
        name=package.name,
        version=str(Version(package.version)),
        file=file,
        sha256=str(package.sha256),
        wheel=file.endswith(".whl"),
        place=f"{wheels}/{file}" if package.vendored else _url(package.url, package.name),
        vendored=package.vendored,
        direct=package.source in {"url", "find-links"} and not package.vendored,
        index=_url(package.index, package.name) if package.index and not package.vendored else DEFAULT_INDEX,
    )


def _url(url: str | None, what: str) -> str:
    parts = urlsplit(url or "")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _URL.fullmatch(url or ""):
        raise InputError(f"{url!r} of {what} is not an http or https URL.", hint=_FREEZE_AGAIN)
    return url_without_credentials(str(url))


_FREEZE_AGAIN = "Restore envfreeze.lock from version control, or freeze again."


def python_version(lock: Lock) -> Version:
    """The interpreter's version.

    Raises:
        InputError: it is none.
    """
    try:
        return Version(lock.interpreter.version.removesuffix("+"))
    except InvalidVersion:
        raise InputError(
            f"the interpreter's version {lock.interpreter.version!r} is no Python version.",
            hint=_FREEZE_AGAIN,
        ) from None


def requires_python(lock: Lock) -> str:
    """A specifier of the interpreter's series: wheels are made for one, as ``==3.11.*``."""
    version = python_version(lock)
    return f"=={version.major}.{version.minor}.*"

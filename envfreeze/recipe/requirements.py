"""requirements.txt with a hash on every line, from the lock's packages.

Locks come from strangers, and a line of this file can hold options for pip. So names, versions and file names
pass through ``packaging`` first, and URLs may hold neither space nor control characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from envfreeze.errors import InputError
from envfreeze.recipe.quote import comment
from envfreeze.records.environment import Package, PipConfiguration
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import VendoredWheel
from envfreeze.redact import url_without_credentials

LEFT_OUT = frozenset({"pip", "envfreeze"})
"""``pip`` installs the others and comes with the base image; it would replace itself in mid-work."""

_URL = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!&'()*+,;=%]+")
"""Characters of RFC 3986, without ``#`` (a comment or a fragment) and ``$`` (a variable for pip)."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Requirements(NamedTuple):
    """The text of requirements.txt, and what lies beside it."""

    text: str
    wheels: tuple[VendoredWheel, ...]
    """Files that are found through ``--find-links``, as no index has them."""
    built: tuple[str, ...]
    """Packages that have to be built from source."""
    names: tuple[str, ...] = ()
    """All that are installed."""


def requirements(lock: Lock) -> Requirements:
    """What ``pip install --require-hashes --no-deps --find-links wheels -r requirements.txt`` needs.

    Raises:
        InputError: some packages cannot be installed again; the sentence names some of each kind.
    """
    packages = [package for package in lock.packages if canonicalize_name(package.name) not in LEFT_OUT]
    _refuse_uninstallable(packages)
    wanted = sorted({canonicalize_name(package.name): package for package in packages}.items())
    lines = [_HEADER, *_indexes(packages, lock.pip)]
    lines += [line(package) for _, package in wanted]
    wheels = {_file_name(package): str(package.sha256) for _, package in wanted if package.vendored}
    return Requirements(
        text="".join(f"{line}\n" for line in lines),
        wheels=tuple(VendoredWheel(file=file, sha256=digest) for file, digest in sorted(wheels.items())),
        built=tuple(str(name) for name, package in wanted if _is_source(package)),
        names=tuple(str(name) for name, _ in wanted),
    )


_HEADER = """\
# Made by envfreeze from envfreeze.lock; do not edit.
# pip install --require-hashes --no-deps --find-links wheels -r requirements.txt"""


def line(package: Package) -> str:
    """One requirement, which names exactly one file by its digest.

    Raises:
        InputError: name, version, URL or digest are not what they should be.
    """
    name, version = _name(package), _version(package)
    digest = package.sha256 or ""
    if not _SHA256.fullmatch(digest):
        raise InputError(f"the lock's digest of {name} is no SHA-256.", hint=_FREEZE_AGAIN)
    if _by_url(package):
        return f"{name} @ {_url(str(package.url), name)} --hash=sha256:{digest}"
    return f"{name}=={version} --hash=sha256:{digest}"


_FREEZE_AGAIN = "Restore envfreeze.lock from version control, or freeze again."


def _by_url(package: Package) -> bool:
    """True for what pip finds on no index: direct URLs, and files of a find-links page."""
    return not package.vendored and package.source in {"url", "find-links"}


def _name(package: Package) -> str:
    try:
        return canonicalize_name(package.name, validate=True)
    except InvalidName:
        raise InputError(f"{package.name!r} is no name of a package.", hint=_FREEZE_AGAIN) from None


def _version(package: Package) -> str:
    try:
        return str(Version(package.version))
    except InvalidVersion:
        raise InputError(
            f"{package.version!r} is no version of {package.name!r} (PEP 440).", hint=_FREEZE_AGAIN
        ) from None


def _file_name(package: Package) -> str:
    """The file's name, when it is one that a wheel or a source distribution of this package can have."""
    file = package.file or ""
    try:
        name = parse_wheel_filename(file)[0] if file.endswith(".whl") else parse_sdist_filename(file)[0]
    except (InvalidWheelFilename, InvalidSdistFilename):
        name = None
    if name != _name(package) or not re.fullmatch(r"[A-Za-z0-9._+!-]+", file):
        raise InputError(
            f"{file!r} is no file name of a wheel or source distribution of {package.name!r}.",
            hint=_FREEZE_AGAIN,
        )
    return file


def _url(url: str, what: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _URL.fullmatch(url):
        raise InputError(f"{url!r} of {what} is not an http or https URL.", hint=_FREEZE_AGAIN)
    return url_without_credentials(url)


def _is_source(package: Package) -> bool:
    return bool(package.file) and not str(package.file).endswith(".whl")


def _refuse_uninstallable(packages: Iterable[Package]) -> None:
    bad: dict[str, list[str]] = {}
    for package in packages:
        if why := _obstacle(package):
            bad.setdefault(comment(why), []).append(comment(f"{package.name} {package.version}"))
    if bad:
        raise InputError(
            "these packages cannot be installed again from the lock: "
            + "; ".join(f"{_some(sorted(names))} ({why})" for why, names in sorted(bad.items()))
            + ".",
            hint="Install them from an index or from a wheel and freeze again while online, "
            "or uninstall the ones that the run does not need.",
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


_SHOWN = 5
"""So many packages are named for each obstacle: a sentence of sixty is read by nobody."""


def _obstacle(package: Package) -> str | None:
    """Why this package cannot be had again, in a few words."""
    if package.vendored:
        return None if package.sha256 and package.file else "its wheel is not recorded"
    if package.source == "conda":
        return "conda installed it, and the lock has no wheel of it"
    if package.source in {"local", "editable", "vcs", "unknown"}:
        return f"source {package.source}, and no wheel of it is in the store"
    if not package.sha256:
        return "no file on an index was found that matches it"
    if _by_url(package):
        remote = urlsplit(package.url or "").scheme in {"http", "https"}
        return None if remote else "it came from a folder, and the file is not in the store"
    if package.index and urlsplit(package.index).scheme not in {"http", "https"}:
        return "its index is a folder, and the file is not in the store"
    return None


def _indexes(packages: Sequence[Package], pip: PipConfiguration) -> list[str]:
    """The options that name the indexes that are needed; none for PyPI alone.

    When all files are wheels that travel with the lock, no index is told their names.
    """
    if packages and all(package.vendored and not _is_source(package) for package in packages):
        return ["--no-index"]
    plain = [package for package in packages if not package.vendored and not _by_url(package)]
    others = sorted({package.index for package in plain if package.index})
    if not others:
        return []
    main = None
    if all(package.index for package in plain):
        main = pip.index if pip.index in others else others[0]
        others.remove(main)
    options = [f"--index-url {_url(main, 'the index')}"] if main else []
    return options + [f"--extra-index-url {_url(url, 'the index')}" for url in others]

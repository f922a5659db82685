"""What the exports for conda share."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from envfreeze.errors import InputError
from envfreeze.records.environment import CondaPackage
from envfreeze.records.lock import Lock
from envfreeze.redact import url_without_credentials

SUBDIRS = {
    "linux-x86_64": "linux-64",
    "linux-aarch64": "linux-aarch64",
    "linux-ppc64le": "linux-ppc64le",
    "linux-s390x": "linux-s390x",
}
"""conda's name of each platform (conda-build's documentation, "subdir")."""

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*")
_URL = re.compile(r"(https?|file)://[A-Za-z0-9\-._~:/!+%]+\.(conda|tar\.bz2)")


def conda_packages(lock: Lock) -> tuple[CondaPackage, ...]:
    """The conda packages by name, each with its address.

    Raises:
        InputError: there is no conda environment, or a package has no address, or the lock holds what no
            installer may be fed.
    """
    if lock.conda is None:
        raise InputError(
            "the lock has no conda environment, so this format has nothing to say.",
            hint="Export to pylock, requirements, uv or environment instead.",
        )
    bad = [package.name for package in lock.conda.packages if not _is_usable(package)]
    if bad:
        raise InputError(f"these conda packages have no usable address in the lock: {', '.join(bad)}.")
    return tuple(sorted(lock.conda.packages, key=lambda package: package.name))


def _is_usable(package: CondaPackage) -> bool:
    words = (package.name, package.version, package.build)
    digests = re.fullmatch(r"([0-9a-f]{32})?", package.md5) and re.fullmatch(
        r"([0-9a-f]{64})?", package.sha256
    )
    known = bool(package.md5 or package.sha256)
    return bool(all(map(_WORD.fullmatch, words)) and _URL.fullmatch(package.url) and digests and known)


def subdir(lock: Lock) -> str:
    """conda's name of the platform.

    Raises:
        InputError: conda has none.
    """
    platform = lock.interpreter.platform
    if platform not in SUBDIRS:
        raise InputError(f"conda has no packages for {platform or 'an unknown platform'}.")
    return SUBDIRS[platform]


def channel(package: CondaPackage) -> str:
    """Address of the channel that a package is from: its own without platform and file name."""
    return url_without_credentials(package.url).rsplit("/", 2)[0]


def short_channel(url: str) -> str:
    """``conda-forge`` for what every conda takes that word for; other channels by their address."""
    parts = urlsplit(url)
    return parts.path.strip("/") if parts.hostname == "conda.anaconda.org" else url

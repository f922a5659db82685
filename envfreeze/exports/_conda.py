"""What the exports for conda share."""

from __future__ import annotations

from urllib.parse import urlsplit

from envfreeze.errors import InputError
from envfreeze.recipe._conda import is_usable
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
    bad = [package.name for package in lock.conda.packages if not is_usable(package)]
    if bad:
        raise InputError(f"these conda packages have no usable address in the lock: {', '.join(bad)}.")
    return tuple(sorted(lock.conda.packages, key=lambda package: package.name))


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

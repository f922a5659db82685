"""Packages of the operating system that the image needs beyond its base."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from envfreeze.gpu_files import is_of_driver, library
from envfreeze.recipe.cuda_image import is_covered
from envfreeze.records.environment import System, SystemPackage
from envfreeze.records.files import Gap
from envfreeze.records.recipe import BaseImage

BUILD_TOOLS = {"glibc": ("g++", "gcc", "make"), "musl": ("g++", "gcc", "make", "musl-dev")}
"""What extension modules are commonly compiled with; Python's own headers are in the base image."""

_DISTRIBUTIONS = {
    "debian 10": "buster",
    "debian 11": "bullseye",
    "debian 12": "bookworm",
    "debian 13": "trixie",
}

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""Debian Policy 5.6.1."""

_IN_EVERY_BASE = re.compile(
    r"libc6|libc-bin|libgcc-s1|libstdc\+\+6|libcrypt1|zlib1g|libssl[0-9].*|libffi[0-9].*|libsqlite3-0"
    r"|libbz2-1\.0|liblzma5|libncursesw[0-9]+|libtinfo6|libreadline[0-9].*|libuuid1|libexpat1|libgdbm.*"
    r"|libdb5\.3.*|libacl1|libattr1|libselinux1|libpcre.*|libcap2|libzstd1|liblz4-1|libmd0|libaudit1|libpam.*"
    r"|libgcrypt20|libgpg-error0|libsystemd0|libudev1|libblkid1|libmount1|libsmartcols1|libcom-err2"
    r"|libnsl2|libtirpc3.*|libkrb5.*|libk5crypto3|libgssapi-krb5-2|libkeyutils1|bash|coreutils|dash"
    r"|libpython.*|python.*"
)
"""In python:*-slim of every release (https://github.com/docker-library/python), or the interpreter itself."""


_NOT_IN_DEBIAN = re.compile(
    r"libssl[0-9].*|libffi[0-9].*|libsqlite3-0|libncursesw[0-9]+|libreadline[0-9].*|libexpat1|libgdbm.*"
    r"|libnsl2|libtirpc3.*|libkrb5.*|libk5crypto3|libgssapi-krb5-2|libkeyutils1"
)
"""Of those, what python:*-slim adds to debian:*-slim."""


_VERSION = re.compile(r"[A-Za-z0-9.+:~-]+")
"""Debian Policy 5.6.12."""
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
MOST_SNAPSHOTS = 5
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def _release_of(base: BaseImage, system: System) -> str | None:
    """The release of Debian that both the original machine and the image have."""
    release = _DISTRIBUTIONS.get(system.distribution)
    is_same = base.reference == f"debian:{release}-slim" or base.reference.endswith(f"-{release}")
    return release if is_same else None


class Wanted(NamedTuple):
    """A Debian package; ``exact`` is ``name=version``, as apt-get(8) takes it."""

    name: str
    exact: str


class SystemInstall(NamedTuple):
    """What to install, and lines of sources.list(5) for archives that had these versions."""

    packages: tuple[Wanted, ...] = ()
    snapshots: tuple[str, ...] = ()


def missing_from(base: BaseImage, system: System) -> SystemInstall:
    """Debian packages to install: owners of loaded libraries that the base image does not have.

    Only from the same release of Debian: others name their packages differently. The mirrors keep only the
    newest build of a release; https://snapshot.debian.org/ has all that they ever had, by the time, and the
    time when a package was unpacked is one at which it was there.
    """
    release = _release_of(base, system)
    is_bare = base.reference == f"debian:{release}-slim"
    if release is None:
        return SystemInstall()
    packages = {
        name: package
        for package in system.packages
        if package.manager == "dpkg"
        and not _is_elsewhere(package)
        and _NAME.fullmatch(name := package.name.partition(":")[0])
        and not _is_there(name, bare=is_bare)
    }
    chosen = [package for _, package in sorted(packages.items())]
    wanted = tuple(Wanted(name, _exact(name, package)) for name, package in sorted(packages.items()))
    return SystemInstall(wanted, tuple(_snapshots(chosen, release)))


def not_installed(base: BaseImage, system: System) -> tuple[Gap, ...]:
    """Gaps that name the packages which the image goes without: of another distribution or archive."""
    gaps = []
    if others := sorted({package.name for package in _left_out(base, system)}):
        why = f"{_shown(others)}: the run loaded these, and Debian has none of them"
        gaps.append(Gap(what=_NOT_THERE, why=why))
    if _release_of(base, system) is not None:
        return tuple(gaps)
    names = sorted(
        {
            package.name
            for package in system.packages
            if package.manager == "dpkg"
            and not _is_elsewhere(package)
            and not _is_there(package.name.partition(":")[0], bare=False)
        }
    )
    if names:
        why = (
            f"{_shown(names)}: the run loaded these on {system.distribution}, and {base.reference} is another"
        )
        gaps.append(Gap(what=_NOT_THERE, why=why))
    return tuple(gaps)


_NOT_THERE = "packages of the system are not in the image"


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if names[_MOST_NAMED:] else ""
    return ", ".join(names[:_MOST_NAMED]) + more


_MOST_NAMED = 10


def _is_elsewhere(package: SystemPackage) -> bool:
    """True for a package of another archive: Debian's have nothing in /opt and /usr/local (Policy 9.1), and
    Debian's mirrors, as images ask them, have neither CUDA nor NVIDIA's driver."""
    return bool(package.libraries) and all(
        path.startswith(("/opt/", "/usr/local/")) or _is_of_cuda(path) for path in package.libraries
    )


def _is_of_cuda(path: str) -> bool:
    named = library(path)
    return is_of_driver(path) or (named is not None and named.kind == "cuda")


def _left_out(base: BaseImage, system: System) -> Iterator[SystemPackage]:
    """Of other archives; without what the host's driver or NVIDIA's image brings."""
    for package in system.packages:
        if package.manager == "dpkg" and _is_elsewhere(package):
            if all(is_of_driver(path) or is_covered(path, base.cuda) for path in package.libraries):
                continue
            yield package


def _is_there(name: str, *, bare: bool) -> bool:
    return bool(_IN_EVERY_BASE.fullmatch(name)) and not (bare and _NOT_IN_DEBIAN.fullmatch(name))


def _exact(name: str, package: SystemPackage) -> str:
    return f"{name}={package.version}" if _VERSION.fullmatch(package.version) else name


def _snapshots(packages: list[SystemPackage], release: str) -> list[str]:
    """Newest first; the security archive too, as its builds are in no point release yet."""
    times = sorted(
        {package.installed for package in packages if _TIME.fullmatch(package.installed)}, reverse=True
    )
    options = f"[check-valid-until=no signed-by={_KEYRING}]"
    security = f"{release}-security" if release != "buster" else "buster/updates"
    lines = []
    for time in times[:MOST_SNAPSHOTS]:
        moment = time.replace("-", "").replace(":", "")
        for archive, suite in (("debian", release), ("debian-security", security)):
            lines.append(f"deb {options} http://snapshot.debian.org/archive/{archive}/{moment} {suite} main")
    return lines

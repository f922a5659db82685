"""Packages of the operating system that the image needs beyond its base."""

from __future__ import annotations

import re

from envfreeze.records.environment import System
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


def missing_from(base: BaseImage, system: System) -> tuple[str, ...]:
    """Debian packages to install by name: owners of loaded libraries that the base image does not have.

    Only from the same release of Debian: others name their packages differently.
    """
    release = _DISTRIBUTIONS.get(system.distribution)
    is_bare = base.reference == f"debian:{release}-slim"
    if release is None or not (is_bare or base.reference.endswith(f"-{release}")):
        return ()
    names = {package.name.partition(":")[0] for package in system.packages if package.manager == "dpkg"}
    there = {
        name
        for name in names
        if _IN_EVERY_BASE.fullmatch(name) and not (is_bare and _NOT_IN_DEBIAN.fullmatch(name))
    }
    return tuple(sorted(name for name in names - there if _NAME.fullmatch(name)))

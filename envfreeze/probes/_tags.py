"""Wheel tags of the target (PEP 425, PEP 600, PEP 656), computed here from what it said of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.tags import Tag

_LEGACY_MANYLINUX = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
"""Older names of PEP 600 tags (PEP 513, 571, 599)."""


def accepted(interpreter: dict[str, Any]) -> list[Tag]:
    """All tags that the target's pip accepts, best first; ``interpreter`` is what it said of itself."""
    from packaging import tags

    version = python_version(interpreter)
    platforms = list(_platforms(interpreter))
    soabi = str(interpreter.get("soabi", ""))
    if interpreter.get("tag", "cpython") == "cpython":
        abi = _cpython_abi(soabi, version)
        found = list(tags.cpython_tags(version, abis=[abi], platforms=platforms))
        short = f"cp{version[0]}{version[1]}"
    else:
        short = {"pypy": "pp"}.get(str(interpreter["tag"]), str(interpreter["tag"]))
        short += f"{version[0]}{version[1]}"
        abi = "_".join(soabi.split("-")[:2])
        found = list(tags.generic_tags(short, abis=[abi], platforms=platforms))
    return found + list(tags.compatible_tags(version, interpreter=short, platforms=platforms))


def own(interpreter: dict[str, Any]) -> str:
    """The tag of a wheel with extension modules that was built on this machine."""
    machine = str(interpreter.get("platform", "linux-x86_64"))
    platform = re.sub(r"[-.]", "_", machine)
    first = accepted(interpreter)[0]
    return f"{first.interpreter}-{first.abi}-{platform}"


def python_version(interpreter: dict[str, Any]) -> tuple[int, int]:
    """Major and minor version."""
    major, minor = str(interpreter.get("version", "3.0")).split(".")[:2]
    return int(major), int(re.match(r"\d+", minor).group())  # type: ignore[union-attr]


def _cpython_abi(soabi: str, version: tuple[int, int]) -> str:
    """``cp313t`` from ``cpython-313t-x86_64-linux-gnu``."""
    match = re.match(r"cpython-(\d+[a-z]*)", soabi)
    return f"cp{match[1]}" if match else f"cp{version[0]}{version[1]}"


def _platforms(interpreter: dict[str, Any]) -> Iterator[str]:
    """Platform tags, best first: as ``packaging`` does it, but for the target's C library."""
    plain = re.sub(r"[-.]", "_", str(interpreter.get("platform", "")))
    if interpreter.get("bits") == 32:
        plain = plain.replace("x86_64", "i686").replace("aarch64", "armv8l")
    system, _, machine = plain.partition("_")
    match = re.match(r"(glibc|musl) (\d+)\.(\d+)", str(interpreter.get("libc", "")))
    if system == "linux" and match:
        major, newest = int(match[2]), int(match[3])
        family = "manylinux" if match[1] == "glibc" else "musllinux"
        for minor in range(newest, 4 if family == "manylinux" else -1, -1):
            yield f"{family}_{major}_{minor}_{machine}"
            if family == "manylinux" and (major, minor) in _LEGACY_MANYLINUX:
                yield f"{_LEGACY_MANYLINUX[major, minor]}_{machine}"
    yield plain

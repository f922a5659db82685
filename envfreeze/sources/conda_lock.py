"""``conda-lock.yml``: exact conda packages, and pip's beside them (the unified format, version 1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from envfreeze.errors import InputError
from envfreeze.records.environment import CondaEnvironment, CondaPackage
from envfreeze.redact import url_without_credentials
from envfreeze.sources import Contents, Machine, Pin, PinnedFile, Source
from envfreeze.sources._read import table, tables, yaml

SUBDIRS = {"linux-x86_64": "linux-64"}
"""conda's names of platforms that differ from Python's."""


def _recognises(path: Path) -> bool:
    return path.suffix in {".yml", ".yaml"} and {"package", "metadata"} <= yaml(path).keys()


def _requires_python(path: Path) -> str:
    """The version of its own Python."""
    found = [entry for entry in tables(yaml(path).get("package")) if entry.get("name") == "python"]
    return f"=={found[0].get('version')}" if found else ""


def _read(path: Path, machine: Machine) -> Contents:
    content = yaml(path)
    if content.get("version") != 1:
        raise InputError(f"{path} has version {content.get('version')!r}; this envfreeze reads version 1.")
    platform = str(machine.interpreter.get("platform", ""))
    platform = SUBDIRS.get(platform, platform)
    entries = [entry for entry in tables(content.get("package")) if entry.get("platform") == platform]
    if not entries:
        raise InputError(f"{path} has no packages for {platform}.", hint=f"Run: conda-lock -p {platform}")
    wanted = [entry for entry in entries if entry.get("optional") is not True]
    conda = [_package(entry) for entry in wanted if entry.get("manager") == "conda"]
    pins = tuple(_pin(entry) for entry in wanted if entry.get("manager") == "pip")
    return Contents(pins=pins, conda=CondaEnvironment(name="base", prefix="", packages=tuple(conda)))


def _package(entry: dict[str, Any]) -> CondaPackage:
    url, digests = str(entry.get("url", "")), table(entry.get("hash"))
    stem = urlsplit(url).path.rpartition("/")[2].removesuffix(".conda").removesuffix(".tar.bz2")
    return CondaPackage(
        name=str(entry.get("name")),
        version=str(entry.get("version")),
        build=str(entry.get("build") or stem.rpartition("-")[2]),
        channel=url_without_credentials(url.rsplit("/", 2)[0]),
        url=url_without_credentials(url),
        md5=str(digests.get("md5", "")),
        sha256=str(digests.get("sha256", "")),
    )


def _pin(entry: dict[str, Any]) -> Pin:
    from packaging.utils import canonicalize_name

    url, digest = str(entry.get("url", "")), str(table(entry.get("hash")).get("sha256", ""))
    file = PinnedFile(file=unquote(urlsplit(url).path).rpartition("/")[2], sha256=digest or None, url=url)
    return Pin(
        name=canonicalize_name(str(entry.get("name"))),
        version=str(entry.get("version")),
        sha256=(digest,) if digest else (),
        files=(file,),
    )


SOURCE = Source(name="conda-lock.yml", recognises=_recognises, requires_python=_requires_python, read=_read)

"""The conda environment that the interpreter lives in, from its ``conda-meta/*.json``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from envfreeze.errors import ProbeError
from envfreeze.files import in_parallel
from envfreeze.probes import Probe, Section, Target
from envfreeze.records.environment import CondaEnvironment, CondaPackage
from envfreeze.records.files import Gap
from envfreeze.redact import url_without_credentials


class _Meta(msgspec.Struct):
    """The part of a ``conda-meta`` record that says which package it was."""

    name: str
    version: str
    build: str = ""
    channel: str = ""
    url: str = ""
    md5: str | None = None
    sha256: str | None = None


def inspect(target: Target) -> Section:
    """The environment around the interpreter, or around the one that its virtual environment rests on."""
    said = target.facts["interpreter"]
    prefixes = (Path(said["prefix"]), Path(said["base_prefix"]))
    prefix = next((path for path in prefixes if (path / "conda-meta").is_dir()), None)
    if prefix is None:
        return Section(value=None)
    try:
        files = sorted((prefix / "conda-meta").glob("*.json"))
    except OSError as error:
        raise ProbeError(f"{prefix}/conda-meta cannot be read: {error.strerror}") from error
    answers = in_parallel(_package, files)
    packages = sorted(
        (answer for answer in answers if isinstance(answer, CondaPackage)), key=lambda package: package.name
    )
    gaps = tuple(answer for answer in answers if isinstance(answer, Gap))
    value = CondaEnvironment(name=_name(prefix, target), prefix=str(prefix), packages=tuple(packages))
    return Section(value=value, gaps=gaps)


def _package(path: Path) -> CondaPackage | Gap:
    try:
        meta = msgspec.json.decode(path.read_bytes(), type=_Meta)
    except (OSError, msgspec.DecodeError) as error:
        return Gap(what=f"conda package {path.stem}", why=f"{path} cannot be read: {error}")
    return CondaPackage(
        name=meta.name,
        version=meta.version,
        build=meta.build,
        channel=url_without_credentials(meta.channel),
        url=url_without_credentials(meta.url),
        md5=meta.md5 or "",
        sha256=meta.sha256 or "",
    )


def _name(prefix: Path, target: Target) -> str:
    """As ``conda env list`` shows it: the installation itself is ``base``."""
    if target.environment.get("CONDA_PREFIX") == str(prefix):
        return target.environment.get("CONDA_DEFAULT_ENV") or prefix.name
    return "base" if (prefix / "condabin").is_dir() else prefix.name


PROBE = Probe(section="conda", inspect=inspect)

"""The records that conda, mamba and pixi leave of installed packages: ``conda-meta/*.json``.

Fields: https://docs.conda.io/projects/conda/en/stable/dev-guide/api/conda/models/records (``PrefixRecord``).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from envfreeze.errors import ProbeError
from envfreeze.files import in_parallel


class PathEntry(msgspec.Struct):
    """An installed file, as linked."""

    path: str = msgspec.field(name="_path")
    path_type: str = ""
    sha256: str | None = None
    sha256_in_prefix: str | None = None
    """Its digest after the prefix was written into it."""
    size_in_bytes: int | None = None
    prefix_placeholder: str | None = None


class _PathsData(msgspec.Struct):
    paths: tuple[PathEntry, ...] = ()


class Meta(msgspec.Struct):
    """The part of a record that says which package it was, and what it installed."""

    name: str
    version: str
    build: str = ""
    channel: str = ""
    url: str = ""
    md5: str | None = None
    sha256: str | None = None
    fn: str = ""
    extracted_package_dir: str = ""
    package_tarball_full_path: str = ""
    files: tuple[str, ...] = ()
    paths_data: _PathsData = msgspec.field(default_factory=_PathsData)


def prefix_of(said: Mapping[str, Any]) -> Path | None:
    """The environment around an interpreter, or around the one that its virtual environment rests on."""
    prefixes = (Path(said["prefix"]), Path(said["base_prefix"]))
    return next((path for path in prefixes if (path / "conda-meta").is_dir()), None)


def read_all(prefix: Path) -> dict[Path, Meta | str]:
    """Each record by its path, or why it cannot be read.

    Raises:
        ProbeError: the folder of records cannot be read.
    """
    try:
        paths = sorted((prefix / "conda-meta").glob("*.json"))
    except OSError as error:
        raise ProbeError(f"{prefix}/conda-meta cannot be read: {error.strerror}") from error
    return dict(zip(paths, in_parallel(_read, paths), strict=True))


def _read(path: Path) -> Meta | str:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Meta)
    except (OSError, msgspec.DecodeError) as error:
        return f"{path} cannot be read: {error}"


class Owned:
    """Tells the Python distributions that conda installed from those that pip did in the same environment."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._installers: dict[str, str | None] = {}
        prefix = prefix_of(said)
        if prefix is None:
            return
        with contextlib.suppress(ProbeError):
            for meta in read_all(prefix).values():
                if isinstance(meta, Meta):
                    self._installers |= dict(_distributions(prefix, meta))

    def __contains__(self, facts: Mapping[str, Any]) -> bool:
        """True for a distribution (facts as in ``Target.facts``) that is as conda installed it.

        One that pip installed over it has the same folder, and another INSTALLER (PEP 376).
        """
        if facts["installer"] == "conda":
            return True
        path = str(facts["path"])
        if path not in self._installers:
            return False
        recorded = self._installers[path]
        if recorded is None:
            return not facts["installer"]
        try:
            return hashlib.sha256(Path(path, "INSTALLER").read_bytes()).hexdigest() == recorded
        except OSError:
            return True


def _distributions(prefix: Path, meta: Meta) -> Iterator[tuple[str, str | None]]:
    """Folder of each distribution of a package, and the digest of its INSTALLER if it has one."""
    digests = {entry.path: entry.sha256_in_prefix or entry.sha256 for entry in meta.paths_data.paths}
    for path in meta.files or digests:
        folder, _, name = path.rpartition("/")
        if name == "METADATA" and folder.endswith(".dist-info"):
            yield str(prefix / folder), digests.get(f"{folder}/INSTALLER")
        elif name == "PKG-INFO" and folder.endswith(".egg-info"):
            yield str(prefix / folder), None
        elif name.endswith(".egg-info"):
            yield str(prefix / path), None

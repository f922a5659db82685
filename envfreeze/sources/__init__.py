"""Sources: files that say what an environment shall hold, for a lock without an installed environment.

To add one, add a file with ``SOURCE = Source(…)``; the registry finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from envfreeze.errors import InputError
from envfreeze.probes.pip import Configuration
from envfreeze.records.base import Record
from envfreeze.records.environment import CondaEnvironment
from envfreeze.records.files import Gap


class Machine(Record):
    """What a file is read for: an interpreter, which may be another than this machine has."""

    version: str
    """Python's, in full (``3.11.7``) or the series (``3.11``)."""
    interpreter: dict[str, Any]
    """Facts as in ``Target.facts["interpreter"]``, for that version."""
    configuration: Configuration
    """Where packages come from."""
    environment: Mapping[str, str]
    offline: bool = False


class PinnedFile(Record):
    """A wheel or source distribution that a file offers for a pin."""

    file: str
    sha256: str | None = None
    url: str | None = None


class Pin(Record):
    """One package with its exact version."""

    name: str
    """Normalized (PEP 503)."""
    version: str
    sha256: tuple[str, ...] = ()
    """Digests of the files that are allowed; empty when the file names none."""
    files: tuple[PinnedFile, ...] = ()
    """When the file names them; otherwise the index is asked."""
    url: str | None = None
    """For a package that is named by the address of its file."""
    index: str | None = None
    """None for the configuration's."""


class Contents(Record):
    """What was read of a file, for one machine."""

    pins: tuple[Pin, ...]
    conda: CondaEnvironment | None = None
    gaps: tuple[Gap, ...] = ()


class Source(Record):
    """One kind of file."""

    name: str
    recognises: Callable[[Path], bool]
    """By name, and where that does not tell by content."""
    requires_python: Callable[[Path], str]
    """A specifier such as ``>=3.10,<3.13``; empty when it does not say."""
    read: Callable[[Path, Machine], Contents]


def source_of(path: Path) -> Source:
    """The kind of a file.

    Raises:
        InputError: there is no such file, or no kind knows it.
    """
    from envfreeze import sources as family
    from envfreeze.registry import members

    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    known = members(family, "SOURCE", Source)
    for source in known:
        if source.recognises(path):
            return source
    names = ", ".join(source.name for source in known)
    raise InputError(f"{path.name} is no kind of file that can be frozen.", hint=f"There are: {names}.")

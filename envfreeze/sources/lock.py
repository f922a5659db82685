"""A lock of a file instead of an installed environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from envfreeze.errors import InputError
from envfreeze.observer import target as targets
from envfreeze.probes import Target, _tags, interpreter, pip
from envfreeze.records.environment import Interpreter
from envfreeze.records.lock import SCHEMA_VERSION, Lock
from envfreeze.sources import Machine, Source, source_of
from envfreeze.sources._pinned import packages
from envfreeze.store import Store

SERIES = tuple(f"3.{minor}" for minor in range(14, 7, -1))
"""Series of Python that may be chosen when a file rules this machine's out."""


def lock_of(
    path: Path, project: Path, environment: Mapping[str, str], *, python: str | None, offline: bool
) -> Lock:
    """Read a file, resolve it where it is no lock itself, and pin every package to one file.

    Args:
        path: requirements.in or .txt, pyproject.toml, uv.lock, poetry.lock, environment.yml, conda-lock.yml.
        project: its store gets files that are on no index.
        environment: variables with pip's and uv's configuration.
        python: a version such as ``3.11``, or an interpreter; by default what the file asks for, and this
            machine's where that fits.
        offline: ask no index.

    Raises:
        InputError: the file cannot be read or resolved.
        EnvironmentFailure: the tool that resolves is not there.
    """
    source = source_of(path)
    is_version = python is not None and re.fullmatch(r"\d+(\.\d+)*", python)
    executable = python if python and not is_version else targets.find(environment)
    facts = targets.examine(executable, environment, project)
    version = (
        python if python and is_version else _version(source, path, str(facts["interpreter"]["version"]))
    )
    exact = version == facts["interpreter"]["version"]
    facts["interpreter"] = facts["interpreter"] if exact else _as(version, facts["interpreter"])
    target = Target(
        executable=executable,
        directory=str(project),
        environment=dict(environment),
        facts=facts,
        offline=offline,
        project=project,
    )
    machine = Machine(
        version=version,
        interpreter=facts["interpreter"],
        configuration=pip.configuration(target),
        environment=environment,
        offline=offline,
    )
    contents = source.read(path, machine)
    found, gaps = packages(contents.pins, machine, Store(project))
    return Lock(
        envfreeze_lock=SCHEMA_VERSION,
        interpreter=_interpreter(target, exact=exact),
        packages=found,
        pip=pip.inspect(target).value,
        conda=contents.conda,
        gaps=(*contents.gaps, *gaps),
    )


def _version(source: Source, path: Path, own: str) -> str:
    """This machine's Python where the file allows it; otherwise the next series that it allows."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    said = source.requires_python(path)
    try:
        allowed = SpecifierSet(said)
    except InvalidSpecifier:
        raise InputError(f"{path}: {said!r} is no specifier of Python versions.") from None
    if own in allowed:
        return own
    if match := re.fullmatch(r"==(\d+\.\d+\.\d+)", said):
        return match[1]
    fitting = [series for series in SERIES if any(f"{series}.{patch}" in allowed for patch in (0, 9, 99))]
    if not fitting:
        raise InputError(
            f"{path} asks for Python {said}, and there is none from {SERIES[-1]} to {SERIES[0]}."
        )
    own_minor = int(own.split(".")[1])
    return min(fitting, key=lambda series: abs(int(series.split(".")[1]) - own_minor))


def _as(version: str, said: dict[str, Any]) -> dict[str, Any]:
    """The facts of this machine's interpreter, told of another version of CPython."""
    major, minor = (*version.split("."), "0")[:2]
    machine = str(said.get("platform", "linux-x86_64")).partition("-")[2]
    return said | {
        "version": version,
        "implementation": "CPython",
        "tag": "cpython",
        "soabi": f"cpython-{major}{minor}-{machine}-linux-gnu",
        "compiler": "",
        "build": "",
        "config_args": "",
    }


def _interpreter(target: Target, *, exact: bool) -> Interpreter:
    """As inspected, or for another version only what follows from it; no path of this machine then."""
    said = target.facts["interpreter"]
    if exact:
        found: Interpreter = interpreter.inspect(target).value
        return msgspec.structs.replace(found, executable="", prefix="", base_prefix="")
    return Interpreter(
        implementation="CPython",
        version=said["version"],
        platform=said["platform"],
        libc=said["libc"],
        tags=tuple(str(tag) for tag in _tags.accepted(said)[:3]),
    )

"""The Python that the command ran."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath
from typing import Any, Literal

from envfreeze.probes import Probe, Section, Target, _tags
from envfreeze.records.environment import Interpreter

Kind = Literal["system", "venv", "conda", "pyenv", "uv", "other"]


def inspect(target: Target) -> Section:
    """Fill the section from what the interpreter said of itself."""
    said = target.facts["interpreter"]
    return Section(
        value=Interpreter(
            implementation=said["implementation"],
            version=said["version"],
            abi=said["soabi"],
            platform=said["platform"],
            tags=tuple(str(tag) for tag in _tags.accepted(said)[:3]),
            libc=said["libc"],
            compiler=said["compiler"],
            build=said["build"],
            flags=_flags(said["config_args"]),
            kind=_kind(said),
            executable=said["executable"] or target.executable,
            prefix=said["prefix"],
            base_prefix=said["base_prefix"],
            system_site_packages=_settings(said["pyvenv"]).get("include-system-site-packages") == "true",
        )
    )


def _kind(said: dict[str, Any]) -> Kind:
    """From the marks that each tool leaves (PEP 405, conda-meta, the folders of pyenv and uv)."""
    base = PurePosixPath(said["base_prefix"])
    settings = _settings(said["pyvenv"])
    if said["conda_meta"]:
        return "conda"
    if "uv" in settings or base.parts[-3:-1] == ("uv", "python"):
        return "uv"
    if settings:
        return "venv"
    if base.parent.name == "versions" and "pyenv" in base.parent.parent.name:
        return "pyenv"
    return "system" if str(base) == "/usr" else "other"


def _settings(pyvenv: str | None) -> dict[str, str]:
    """``pyvenv.cfg``: one ``key = value`` a line (PEP 405)."""
    pairs = (line.partition("=") for line in (pyvenv or "").splitlines())
    return {key.strip().lower(): value.strip().lower() for key, sign, value in pairs if sign}


def _flags(config_args: str) -> tuple[str, ...]:
    """Arguments of ``configure`` without those that name folders of the machine it was built on."""
    try:
        words = shlex.split(config_args)
    except ValueError:
        return ()
    return tuple(word for word in words if "/" not in word)


PROBE = Probe(section="interpreter", inspect=inspect)

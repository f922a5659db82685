"""What a builder printed, as the one sentence that the user needs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from envfreeze.errors import EnvfreezeError, EnvironmentFailure

_PATTERNS = (
    (
        r"(?i)cannot connect to the docker daemon|error reading from server|transport is closing"
        r"|error during connect|connection aborted|closing transport|unexpected EOF$|context canceled",
        "the Docker engine went away during the build.",
        "Start it again (sudo systemctl start docker) and repeat the command; nothing half-built is used.",
    ),
    (
        r"(?i)no space left on device",
        "the disk of the Docker engine is full.",
        "Free some space, for example with: docker system prune",
    ),
    (
        r"(?i)manifest unknown|manifest for \S+ not found|pull access denied"
        r"|failed to resolve source metadata for [^\n]*not found|[^\n]*docker\.io/\S+: not found",
        "the base image {base} is not on its registry.",
        "Freeze again to choose another, or edit 'base' in envfreeze.lock.",
    ),
    (
        r"\bpip: (?:command )?not found|error: No system Python installation found",
        "the image {base} has no Python with pip.",
        "Take one that has, such as python:3.11-slim-bookworm, as 'base' in envfreeze.lock.",
    ),
    (
        r"(?i)toomanyrequests|rate limit",
        "the registry of the base image {base} allows no more downloads for now.",
        "Wait, or log in with: docker login",
    ),
    (
        r"(?i)failed to (?:resolve|do request)[^\n]*(?:registry|docker\.io)|get \"?https://registry[^\n]*"
        r"(?:timeout|no such host|refused|reset)",
        "the registry of the base image {base} cannot be reached.",
        "Check the network of the Docker engine, its proxy settings and registry mirrors.",
    ),
    (
        r"E: Unable to (?:fetch|locate)|Temporary failure resolving '[^']*debian",
        "packages of the system could not be installed in the image.",
        "Check that the image's network reaches deb.debian.org, or its package lists still exist.",
    ),
)


_OF_PODMAN = (
    ("Start it again (sudo systemctl start docker) and repeat", "Repeat"),
    (
        "network of the Docker engine, its proxy settings and registry mirrors",
        "network and registries.conf(5)",
    ),
    ("the Docker engine", "Podman"),
    ("docker ", "podman "),
    ("Docker cannot", "Podman cannot"),
)


def said_of(engine: str, text: str) -> str:
    """A sentence on Docker as one on the engine that it is about."""
    for docker, podman in _OF_PODMAN if engine == "podman" else ():
        text = text.replace(docker, podman)
    return text


def explain(lines: Sequence[str], base: str, engine: str = "docker") -> EnvfreezeError:
    """The failure that the builder's output tells of; ``base`` is the base image.

    Docker's own failures come first, then those of the installer inside.
    """
    from envfreeze.engines._local_install import explain as explain_installer

    text = "\n".join(lines)
    for pattern, sentence, hint in _PATTERNS:
        if re.search(pattern, text, re.MULTILINE):
            return EnvironmentFailure(said_of(engine, sentence).format(base=base), hint=said_of(engine, hint))
    return explain_installer(text) or EnvironmentFailure(
        f"the image could not be built: {_last(lines)}",
        hint="Run again with -v for all that the builder said.",
    )


def _last(lines: Sequence[str]) -> str:
    """The most telling of the last lines."""
    told = [line.strip() for line in lines if line.strip() and set(line.strip()) != {"-"}]
    told = [line for line in told if not line.startswith("Error: building at STEP")] or told
    errors = [line for line in told if re.match(r"(?i)(error|e:|fatal)", line)]
    return (errors or told or ["the builder said nothing."])[-1]

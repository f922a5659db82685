"""Finding a Docker engine, and words for why there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from envfreeze.errors import EnvironmentFailure

if TYPE_CHECKING:
    from docker import DockerClient

QUICK = 3
"""Seconds that an engine on this machine may take to say that it is there."""


class Unavailable(NamedTuple):
    """Why no engine can be used, and what to do."""

    why: str
    mend: str


class Connection(NamedTuple):
    """An engine that answers."""

    host: str
    """Its address, as in ``DOCKER_HOST``."""
    version: str
    podman: bool
    builder: tuple[str, ...] = ()
    """Start of the command line that builds for this engine; empty: to be found."""

    @property
    def engine(self) -> str:
        """Its name in records."""
        return "podman" if self.podman else "docker"


def connection() -> Connection | Unavailable:
    """The first engine that answers: ``DOCKER_HOST``, the current context, Docker's socket."""
    problems = []
    for host in dict.fromkeys(_hosts()):
        answer = try_host(host)
        if isinstance(answer, Connection):
            return answer
        problems.append(answer)
    return problems[0]


def _hosts() -> Iterator[str]:
    import docker

    if chosen := os.environ.get("DOCKER_HOST"):
        yield chosen
        return
    try:
        context = docker.ContextAPI.get_current_context()
        if context is not None and context.Host:
            yield context.Host
    except Exception:  # noqa: S110 - a broken ~/.docker must not hide the engine
        pass
    yield "unix:///var/run/docker.sock"


def _client(host: str, timeout: float | None) -> DockerClient:
    import docker

    environment = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    environment["DOCKER_HOST"] = host
    # types-docker knows no timeout of None, which the library passes on to requests: no limit.
    return docker.DockerClient.from_env(environment=environment, timeout=timeout)  # type: ignore[arg-type]


def try_host(host: str) -> Connection | Unavailable:
    """The engine behind an address, if it answers within ``QUICK`` seconds."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        client = _client(host, QUICK)
        try:
            version = client.version()
        finally:
            client.close()
    except (DockerException, RequestException, OSError, ValueError) as error:
        return _in_words(host, error)
    names = [component.get("Name", "") for component in version.get("Components", ())]
    return Connection(host, str(version.get("Version", "")), any("Podman" in name for name in names))


def _in_words(host: str, error: Exception) -> Unavailable:
    path = Path(host.removeprefix("unix://"))
    text = str(error)
    start = "Start Docker (sudo systemctl start docker, or Docker Desktop)"
    if "Permission denied" in text or "PermissionError" in text:
        return Unavailable(
            f"{path} may not be used by this user.",
            "Add yourself to its group (sudo usermod -aG docker $USER, then log in again), or use sudo.",
        )
    if host.startswith("unix://") and not path.exists():
        return Unavailable(
            f"there is no Docker engine: no {path}.", f"{start}, install it, or use --engine local."
        )
    if "timed out" in text.lower():
        return Unavailable(f"the Docker engine at {host} does not answer.", f"{start} anew.")
    if "refused" in text or "Connection aborted" in text:
        return Unavailable(f"nothing answers at {host}: Docker is not running.", f"{start}.")
    return Unavailable(
        f"the Docker engine at {host} cannot be used: {text}.", f"{start}, or check DOCKER_HOST."
    )


def connect(timeout: float | None = None, found: Connection | Unavailable | None = None) -> DockerClient:
    """A client of the engine that was found, or of Docker.

    Args:
        timeout: seconds that each answer may take; None: any time.
        found: None looks for Docker.

    Raises:
        EnvironmentFailure: there is no engine.
    """
    found = found or connection()
    if isinstance(found, Unavailable):
        raise EnvironmentFailure(found.why, hint=found.mend)
    from docker.errors import DockerException

    try:
        return _client(found.host, timeout)
    except DockerException as error:
        gone = _in_words(found.host, error)
        raise EnvironmentFailure(gone.why, hint=gone.mend) from error

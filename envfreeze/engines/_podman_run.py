"""Where a container of Podman is not as one of Docker's, though it is asked for in the same words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.records.run import Job

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

PODMAN = "podman"
EMPTY = ",notmpcopyup"
"""Option of a tmpfs: without it, it is filled with what the image has there."""
_KILLED = 137
"""128 and SIGKILL's number, as shells report it."""


def settle(carrier: Container) -> None:
    """Let the volumes take owner and mode of the image's folders below them, as they do at their first start.

    Afterwards they keep what they are given.
    """
    carrier.start()
    carrier.wait(timeout=60)


def as_docker_says(client: DockerClient, status: int, job: Job, folder: Path) -> tuple[int, tuple[str, ...]]:
    """Exit status and notes as Docker would have them.

    Podman's first process in a container ends with 1 when there is no such program; its words are those of
    ``exec_failed`` in https://github.com/openSUSE/catatonit; 126 and 127 are what shells return.
    """
    notes = _limits_not_in_force(client)
    with (folder / "stderr").open("rb") as stream:
        said = stream.read(200)
    if status == 1 and b"failed to exec pid1" in said:
        with (folder / "stderr").open("ab") as stream:
            stream.write(f"{job.command[0]} cannot be started\n".encode())
        status = 127 if b"No such file" in said else 126
    elif status == _KILLED and job.limits.memory:
        notes += ("something killed the command, most likely the memory limit",)
    return status, notes


def _limits_not_in_force(client: DockerClient) -> tuple[str, ...]:
    """A sentence where limits are accepted and ignored.

    Source: https://docs.podman.io/en/latest/markdown/podman-run.1.html, "cgroups V1 rootless".
    """
    if os.geteuid() == 0 and "CONTAINER_HOST" not in os.environ:
        return ()
    system = client.info()
    if system.get("Rootless") and str(system.get("CgroupVersion")) == "1":
        return ("limits on memory, processors and processes are not in force: rootless needs cgroups v2",)
    return ()

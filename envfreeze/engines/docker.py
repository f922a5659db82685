"""Engine ``docker``: images by a Docker engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.engines import Check
from envfreeze.engines._container_engine import ContainerEngine

if TYPE_CHECKING:
    from envfreeze.engines._docker_client import Connection, Unavailable


class Docker(ContainerEngine):
    """Found by ``DOCKER_HOST``, Docker's current context, or its socket."""

    name = "docker"
    preference = 100

    def find(self) -> Connection | Unavailable:
        """See ``_docker_client.connection``."""
        from envfreeze.engines._docker_client import connection

        return connection()

    def described(self, found: Connection) -> Check:
        """With a hint where no client of BuildKit is installed."""
        import os

        from envfreeze.engines._docker_build import buildkit_client

        words = f"{'Podman' if found.podman else 'Docker'} {found.version} at {found.host}"
        if not found.podman and buildkit_client(os.environ.get("PATH", "")) is None:
            return Check(
                name="docker",
                state="ok",
                found=f"{words}, without BuildKit: builds are slower",
                mend="Install the plugin buildx: https://docs.docker.com/build/install-buildx/",
            )
        return Check(name="docker", state="ok", found=words)


ENGINE = Docker()

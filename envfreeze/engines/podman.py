"""Engine ``podman``: images without a daemon, and without being root.

Podman's own service is started for the time of a command and ends with it; nothing has to be set up. Where
``CONTAINER_HOST`` names one that runs already, that is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.engines import Check
from envfreeze.engines._container_engine import ContainerEngine

if TYPE_CHECKING:
    from envfreeze.engines._docker_client import Connection, Unavailable


class Podman(ContainerEngine):
    """As the user who calls: rootless for everybody but root."""

    name = "podman"
    preference = 90

    def find(self) -> Connection | Unavailable:
        """See ``_podman.connection``."""
        from envfreeze.engines._podman import connection

        return connection()

    def described(self, found: Connection) -> Check:
        """Version and address."""
        return Check(name="podman", state="ok", found=f"Podman {found.version} at {found.host}")


ENGINE = Podman()

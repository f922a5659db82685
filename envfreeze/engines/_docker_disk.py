"""How much disk a run has taken: Docker's volumes know no limit of their own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.progress import Progress

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_EVERY = 5.0
"""Seconds between two looks, or twenty times what a look takes: the engine walks through all volumes."""


class Gauge:
    """Asks the engine now and then what the volumes of a container hold, and looks at the streams' files."""

    def __init__(
        self, client: DockerClient, carrier: Container, folder: Path, limit: int | None, progress: Progress
    ) -> None:
        self._client, self._folder, self._limit, self._progress = client, folder, limit, progress
        carrier.reload()
        self._names = {mount.get("Name") for mount in carrier.attrs.get("Mounts") or ()}
        self._next = time.monotonic() + _EVERY

    def excess(self) -> str | None:
        """The limit that is passed, in words."""
        if self._limit is None or time.monotonic() < self._next:
            return None
        began = time.monotonic()
        used = self._streams() + self._volumes()
        self._next = time.monotonic() + max(_EVERY, 20 * (time.monotonic() - began))
        return f"ended because it took more than {self._limit} bytes of disk" if used > self._limit else None

    def _streams(self) -> int:
        return sum((self._folder / name).stat().st_size for name in ("stdout", "stderr"))

    def _volumes(self) -> int:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        try:
            volumes = self._client.df().get("Volumes") or ()
        except (DockerException, RequestException) as error:
            self._progress.detail(f"the engine does not say how much disk the run takes: {error}")
            return 0
        sizes = [volume.get("UsageData") or {} for volume in volumes if volume.get("Name") in self._names]
        return sum(max(0, int(size.get("Size") or 0)) for size in sizes)

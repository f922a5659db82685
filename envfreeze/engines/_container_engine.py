"""What the engines with images share: they speak the Docker Engine API, and differ in who answers.

API: https://docs.docker.com/reference/api/engine/. Podman answers to the same one
(https://docs.podman.io/en/latest/markdown/podman-system-service.1.html), so that isolation, limits and
outputs are one piece of code for both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.engines import Check
from envfreeze.errors import EnvironmentFailure
from envfreeze.progress import Progress
from envfreeze.records.recipe import Recipe
from envfreeze.records.run import Image, Job, JobResult
from envfreeze.store import Store

if TYPE_CHECKING:
    from docker import DockerClient

    from envfreeze.engines._docker_client import Connection, Unavailable

_REGISTRY_TIMEOUT = 20
"""Seconds; one question to a registry."""


class ContainerEngine(ABC):
    """See the protocol ``Engine``. The modules ``_docker_*`` beside this one do the work."""

    name: str
    preference: int

    @abstractmethod
    def find(self) -> Connection | Unavailable:
        """Who answers, or why nobody does; at most a few seconds."""

    @abstractmethod
    def described(self, found: Connection) -> Check:
        """The engine in words."""

    def registry_digest(self, client: DockerClient, found: Connection, reference: str) -> str | None:
        """Digest of an image on its registry; empty when it does not exist, None when it cannot be asked."""
        from docker.errors import APIError, NotFound
        from requests.exceptions import RequestException

        from envfreeze.engines import _podman

        if found.podman:
            return _podman.registry_digest(found.builder, reference)
        try:
            answer = client.api.inspect_distribution(reference)  # type: ignore[no-untyped-call]
            return str(answer["Descriptor"]["digest"])
        except NotFound:
            return ""
        except (APIError, RequestException, KeyError):
            return None

    def answers(self) -> bool:
        """Whether it is there at all; asks for less than ``check``."""
        from envfreeze.engines._docker_client import Connection

        return isinstance(self.find(), Connection)

    def check(self) -> Check:
        """Ask the engine for its version; at most a few seconds."""
        from envfreeze.engines._docker_client import Unavailable

        found = self.find()
        if isinstance(found, Unavailable):
            return Check(name=self.name, state="missing", found=found.why.rstrip("."), mend=found.mend)
        return self.described(found)

    def base_digest(self, reference: str) -> str | None:
        """The digest on the registry, else that of a pulled copy."""
        remote, local = self._digests(reference)
        return remote or local

    def base_exists(self, reference: str) -> bool | None:
        """True or False as the registry says; True too for a copy that the engine has."""
        remote, local = self._digests(reference)
        if remote or local is not None:
            return True
        return None if remote is None else False

    def _digests(self, reference: str) -> tuple[str | None, str | None]:
        """Digests on the registry (see ``registry_digest``) and of a pulled copy.

        The latter is empty when the copy was built here, and None when there is none.
        """
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        from envfreeze.engines._docker_client import Unavailable, connect

        found = self.find()
        if isinstance(found, Unavailable):
            return None, None
        try:
            client = connect(_REGISTRY_TIMEOUT, found)
        except EnvironmentFailure:
            return None, None
        remote = None
        try:
            remote = self.registry_digest(client, found, reference)
            digests = client.images.get(reference).attrs.get("RepoDigests") or ()
            return remote, next((str(text).partition("@")[2] for text in digests), "")
        except (DockerException, RequestException):
            return remote, None
        finally:
            client.close()

    def build(self, recipe: Recipe, store: Store, *, progress: Progress, force: bool = False) -> Image:
        """An image with the recipe's identity as its label means that there is nothing to build."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        from envfreeze.bundle.image import load
        from envfreeze.engines import _docker_build as building
        from envfreeze.engines._docker_client import Connection, connect
        from envfreeze.engines._docker_errors import explain

        where = self.find()
        client = connect(None, where)
        assert isinstance(where, Connection)
        found = Image(
            engine=where.engine, reference=building.tag(recipe), environment_id=recipe.environment_id
        )
        try:
            if not force and building.is_built(client, recipe):
                return found
            bundled = store.bundle and store.bundle / "environments" / recipe.environment_id[:12] / "image"
            if (
                not force
                and bundled
                and bundled.is_dir()
                and load(client, bundled, recipe, progress=progress)
            ):
                return Image(
                    engine=found.engine,
                    reference=found.reference,
                    environment_id=found.environment_id,
                    notes=("the image is the bundle's own",),
                )
            progress.step(f"building the image from {recipe.base.reference}")
            return building.build(client, where, recipe, store, progress=progress, force=force)
        except (DockerException, RequestException) as error:
            raise explain([str(error)], recipe.base.reference, where.engine) from error
        finally:
            client.close()

    def save(self, image: Image) -> Iterator[bytes]:
        """The image as ``docker save`` writes it.

        Raises:
            EnvironmentFailure: there is no such engine, or it failed.
        """
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        from envfreeze.engines._docker_client import connect

        client = connect(None, self.find())
        try:
            yield from client.images.get(image.reference).save(named=True)
        except (DockerException, RequestException) as error:
            raise EnvironmentFailure(f"the image {image.reference} cannot be saved: {error}.") from error
        finally:
            client.close()

    def run(self, image: Image, job: Job, store: Store, folder: Path, *, progress: Progress) -> JobResult:
        """Without network, capabilities and a writable system; see ``_docker_run``."""
        from envfreeze.engines._docker_client import connect
        from envfreeze.engines._docker_run import run

        client = connect(None, self.find())
        try:
            return run(client, image, job, store, folder, progress=progress)
        finally:
            client.close()


def preferred() -> ContainerEngine:
    """The first engine with images that works here.

    Raises:
        EnvironmentFailure: there is none.
    """
    from envfreeze.engines import engines

    problems = []
    for engine in engines():
        if isinstance(engine, ContainerEngine):
            check = engine.check()
            if check.state != "missing":
                return engine
            problems.append(check)
    raise EnvironmentFailure(f"{problems[0].found}.", hint=problems[0].mend)

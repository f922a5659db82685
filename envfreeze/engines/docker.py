"""Engine ``docker``: images by a Docker engine, or by Podman through its compatible socket."""

from __future__ import annotations

from pathlib import Path

from envfreeze.engines import Check
from envfreeze.progress import Progress
from envfreeze.records.recipe import Recipe
from envfreeze.records.run import Image, Job, JobResult
from envfreeze.store import Store

_REGISTRY_TIMEOUT = 20
"""Seconds; one question to a registry."""


class Docker:
    """See the protocol ``Engine``. The modules ``_docker_*`` beside this one do the work."""

    name = "docker"
    preference = 100

    def check(self) -> Check:
        """Ask the engine for its version; at most three seconds."""
        import os

        from envfreeze.engines._docker_build import buildkit_client
        from envfreeze.engines._docker_client import Unavailable, connection

        found = connection()
        if isinstance(found, Unavailable):
            return Check(name="docker", state="missing", found=found.why.rstrip("."), mend=found.mend)
        words = f"{'Podman' if found.podman else 'Docker'} {found.version} at {found.host}"
        if not found.podman and buildkit_client(os.environ.get("PATH", "")) is None:
            return Check(
                name="docker",
                state="ok",
                found=f"{words}, without BuildKit: builds are slower",
                mend="Install the plugin buildx: https://docs.docker.com/build/install-buildx/",
            )
        return Check(name="docker", state="ok", found=words)

    def base_digest(self, reference: str) -> str | None:
        """The digest on the registry, else that of a pulled copy."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        from envfreeze.engines._docker_client import connect
        from envfreeze.errors import EnvironmentFailure

        try:
            client = connect(_REGISTRY_TIMEOUT)
        except EnvironmentFailure:
            return None
        try:
            digest = client.api.inspect_distribution(reference)["Descriptor"]["digest"]  # type: ignore[no-untyped-call]
            return str(digest)
        except (DockerException, RequestException, KeyError):
            pass
        try:
            digests = client.images.get(reference).attrs.get("RepoDigests") or ()
            return next((str(text).partition("@")[2] for text in digests), None)
        except (DockerException, RequestException):
            return None
        finally:
            client.close()

    def base_exists(self, reference: str) -> bool | None:
        """True or False as the registry says; True too for a copy that the engine has."""
        from docker.errors import APIError, DockerException, NotFound
        from requests.exceptions import RequestException

        from envfreeze.engines._docker_client import connect
        from envfreeze.errors import EnvironmentFailure

        try:
            client = connect(_REGISTRY_TIMEOUT)
        except EnvironmentFailure:
            return None
        try:
            client.api.inspect_distribution(reference)  # type: ignore[no-untyped-call]
            return True
        except NotFound:
            exists: bool | None = False
        except (APIError, RequestException):
            exists = None
        try:
            client.images.get(reference)
            return True
        except (DockerException, RequestException):
            return exists
        finally:
            client.close()

    def build(self, recipe: Recipe, store: Store, *, progress: Progress, force: bool = False) -> Image:
        """An image with the recipe's identity as its label means that there is nothing to build."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        from envfreeze.bundle.image import load
        from envfreeze.engines import _docker_build as building
        from envfreeze.engines._docker_client import Connection, connect, connection
        from envfreeze.engines._docker_errors import explain

        client, where = connect(), connection()
        assert isinstance(where, Connection)
        try:
            if not force and building.is_built(client, recipe):
                return Image(
                    engine=self.name, reference=building.tag(recipe), environment_id=recipe.environment_id
                )
            bundled = store.bundle and store.bundle / "environments" / recipe.environment_id[:12] / "image"
            if not force and bundled and bundled.is_dir() and load(bundled, recipe, progress=progress):
                return Image(
                    engine=self.name,
                    reference=building.tag(recipe),
                    environment_id=recipe.environment_id,
                    notes=("the image is the bundle's own",),
                )
            progress.step(f"building the image from {recipe.base.reference}")
            return building.build(client, where, recipe, store, progress=progress, force=force)
        except (DockerException, RequestException) as error:
            raise explain([str(error)], recipe.base.reference) from error
        finally:
            client.close()

    def run(self, image: Image, job: Job, store: Store, folder: Path, *, progress: Progress) -> JobResult:
        """Without network, capabilities and a writable system; see ``_docker_run``."""
        from envfreeze.engines._docker_client import connect
        from envfreeze.engines._docker_run import run

        client = connect()
        try:
            return run(client, image, job, store, folder, progress=progress)
        finally:
            client.close()


ENGINE = Docker()

"""An image as an OCI image layout that Docker loads too.

Layout: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md. Beside ``index.json`` stands
the ``manifest.json`` of ``docker save``, so that engines of every age load the folder:
``tar -C image -c . | docker load``.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from envfreeze.bundle.archive import Member
from envfreeze.errors import EnvironmentFailure
from envfreeze.files import CHUNK
from envfreeze.progress import Progress
from envfreeze.records.recipe import Recipe
from envfreeze.store import Store

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

_OCI = "application/vnd.oci.image"


def image_members(
    recipe: Recipe, store: Store, folder: str, saved: Path, *, progress: Progress
) -> Iterator[Member]:
    """Members of ``folder`` that hold the recipe's image; it is built when the engine does not have it.

    Args:
        saved: a new folder for their content, which has to stay until they are written.

    Raises:
        InputError: the recipe cannot be built.
        EnvironmentFailure: there is no engine with images, or it failed.
    """
    from envfreeze.engines._container_engine import preferred

    engine = preferred()
    image = engine.build(recipe, store, progress=progress)
    progress.step(f"saving the image {image.reference}")
    unpacked(engine.save(image), saved, image.reference)
    for path in sorted(saved.rglob("*")):
        if path.is_file():
            name = f"{folder}/{path.relative_to(saved)}"
            yield Member(name=name, source=path, sha256=_digest(path), what="the image")


def unpacked(chunks: Iterator[bytes], folder: Path, reference: str) -> Path:
    """What ``docker save`` writes as an OCI image layout in a new folder.

    Raises:
        EnvironmentFailure: the engine sent something else.
    """
    folder.mkdir(parents=True)
    layout(_Chunks(chunks), folder, reference)
    return folder


class _Chunks:
    """Byte strings that arrive one after the other, as a file that tarfile reads."""

    def __init__(self, chunks: Any) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        parts: list[memoryview] = []
        while size > 0:
            if not self._rest:
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                self._rest = memoryview(chunk)
            parts.append(self._rest[:size])
            self._rest = self._rest[size:]
            size -= len(parts[-1])
        return b"".join(parts)


def layout(stream: Any, folder: Path, reference: str) -> None:
    """Unpack what ``docker save`` writes into an OCI image layout.

    Raises:
        EnvironmentFailure: the engine sent something else.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    digests: dict[str, tuple[str, int]] = {}
    links: dict[str, str] = {}
    listing: Any = None
    with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isfile() else None
            if entry.issym() or entry.islnk():
                links[entry.name] = _joined(entry.name, entry.linkname) if entry.issym() else entry.linkname
            if content is None:
                continue
            if entry.name == "manifest.json":
                listing = json.loads(content.read())
            else:
                digests[entry.name] = _keep(content, blobs)
    if not isinstance(listing, list) or len(listing) != 1:
        raise EnvironmentFailure("the engine did not save one image, as it was asked to.")
    _write_index(listing[0], digests, links, folder, blobs, reference)


def _joined(name: str, target: str) -> str:
    import posixpath

    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target))


def _keep(content: IO[bytes], blobs: Path) -> tuple[str, int]:
    temporary = blobs / "incoming"
    digest, size = hashlib.sha256(), 0
    with temporary.open("wb") as stream:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            stream.write(chunk)
    temporary.rename(blobs / digest.hexdigest())
    return digest.hexdigest(), size


def _write_index(
    image: dict[str, Any],
    digests: dict[str, tuple[str, int]],
    links: dict[str, str],
    folder: Path,
    blobs: Path,
    reference: str,
) -> None:
    config = digests[image["Config"]]
    layers = [digests[links.get(name, name)] for name in image["Layers"]]
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.manifest.v1+json",
        "config": _descriptor(f"{_OCI}.config.v1+json", config),
        "layers": [_descriptor(f"{_OCI}.layer.v1.tar", layer) for layer in layers],
    }
    data = json.dumps(manifest, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    for path in blobs.iterdir():
        if path.name not in {digest, config[0], *(layer[0] for layer in layers)}:
            path.unlink()  # records of the older format
    entry = _descriptor(f"{_OCI}.manifest.v1+json", (digest, len(data)))
    entry["annotations"] = {
        "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
        # What containerd and Podman take for the name; without it Podman takes the tag for the whole name.
        "io.containerd.image.name": f"docker.io/library/{reference}",
    }
    index = {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": [entry]}
    classic = [
        {
            "Config": f"blobs/sha256/{config[0]}",
            "RepoTags": [reference],
            "Layers": [f"blobs/sha256/{layer[0]}" for layer in layers],
        }
    ]
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}\n')
    (folder / "index.json").write_text(json.dumps(index, sort_keys=True) + "\n")
    (folder / "manifest.json").write_text(json.dumps(classic, sort_keys=True) + "\n")


def _descriptor(kind: str, content: tuple[str, int]) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{content[0]}", "size": content[1]}


def _digest(path: Path) -> str:
    from envfreeze.files import sha256

    return path.name if path.parent.name == "sha256" else sha256(path)


def load(client: DockerClient, folder: Path, recipe: Recipe, *, progress: Progress) -> bool:
    """Give the engine the image that a bundle holds; False when it is not the recipe's.

    Raises:
        EnvironmentFailure: the engine refuses it.
    """
    import io

    from docker.errors import DockerException
    from requests.exceptions import RequestException

    from envfreeze.engines._docker_build import is_built

    progress.step("loading the image of the bundle")
    reader, writer = _pipe()
    try:
        import threading

        def send() -> None:
            with writer, tarfile.open(fileobj=writer, mode="w|") as tar:
                for path in sorted(folder.rglob("*")):
                    if path.is_file():
                        tar.add(path.resolve(), arcname=str(path.relative_to(folder)), recursive=False)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        with io.BufferedReader(reader) as stream:
            loaded = client.images.load(stream)
        sender.join()
        return is_built(client, recipe) or _renamed(client, loaded, recipe)
    except (DockerException, RequestException, OSError) as error:
        raise EnvironmentFailure(f"the engine refuses the image of the bundle: {error}.") from error


def _renamed(client: DockerClient, loaded: list[Image], recipe: Recipe) -> bool:
    """Podman reads the OCI layout first, and takes the tag for the name where older bundles give no other."""
    from envfreeze.engines._docker_build import LABEL, is_built, tag

    for image in loaded:
        if image.labels.get(LABEL) == recipe.environment_id:
            other = tuple(image.tags)
            image.tag(*tag(recipe).split(":"))
            for name in other:
                client.images.remove(name)
    return is_built(client, recipe)


def _pipe() -> tuple[Any, Any]:
    import io
    import os

    reading, writing = os.pipe()
    return io.FileIO(reading, "r"), os.fdopen(writing, "wb")

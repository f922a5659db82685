"""Building an image: with BuildKit when a client for it is there, else with the classic builder."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import tarfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from envfreeze import files
from envfreeze.engines import _conda_packages, _docker_errors, _docker_secrets, _docker_wheels
from envfreeze.engines._docker_client import Connection
from envfreeze.errors import EnvironmentFailure
from envfreeze.probes.pip import Configuration, of_this_machine
from envfreeze.progress import Progress
from envfreeze.recipe.context import BUILD, write_context
from envfreeze.records.recipe import Recipe
from envfreeze.records.run import Image
from envfreeze.store import Store

if TYPE_CHECKING:
    from docker import DockerClient

LABEL = "envfreeze.environment-id"
DOCKER_HUB = "docker.io/library"
"""What a name without a registry means to Docker; Podman's command line would say ``localhost``."""
_KEPT_LINES = 400
_STEP = re.compile(r"^#\d+ (?:\d+\.\d+ )?")


def tag(recipe: Recipe) -> str:
    """The image's name."""
    return f"envfreeze:{recipe.environment_id[:16]}"


def is_built(client: DockerClient, recipe: Recipe) -> bool:
    """True when the engine has this recipe's image."""
    from docker.errors import ImageNotFound

    try:
        labels = client.images.get(tag(recipe)).labels
    except ImageNotFound:
        return False
    return bool(labels.get(LABEL) == recipe.environment_id)


def build(
    client: DockerClient,
    connection: Connection,
    recipe: Recipe,
    store: Store,
    *,
    progress: Progress,
    force: bool,
) -> Image:
    """Make the image; a failed or interrupted build leaves no image of that name.

    Raises:
        InputError: a pinned file is on no index or has another content than recorded.
        EnvironmentFailure: the engine, the network or a disk failed.
    """
    started = time.monotonic()
    replaced = _image_id(client, recipe)
    builder = _builder(connection)
    with store.temporary() as folder:
        context, secrets = folder / "context", folder / "secrets"
        context.mkdir()
        secrets.mkdir(mode=0o700)
        write_context(recipe, store, context, buildkit=builder is not None)
        if connection.podman:
            _qualify_images(context / "Dockerfile")
        if recipe.conda is not None:
            _conda_packages.fetch(recipe.conda, store, context / BUILD / "conda", progress=progress)
        notes: tuple[str, ...] = ()
        if builder is not None:
            mounts = _docker_secrets.write_secrets(
                secrets, recipe.requirements, of_this_machine(), stranger=store.bundle is not None
            )
            _with_mounts(builder, client, recipe, context, mounts, progress, force=force)
        else:
            notes = ("built without BuildKit: no client of Docker with buildx is on the PATH",)
            _with_classic_builder(client, recipe, context, progress, force=force)
    _remove_replaced(client, recipe, replaced)
    return Image(
        engine=connection.engine,
        reference=tag(recipe),
        environment_id=recipe.environment_id,
        built=True,
        duration=round(time.monotonic() - started, 3),
        notes=notes,
    )


def _qualify_images(dockerfile: Path) -> None:
    """Podman asks at a terminal, or refuses, when an image has no registry in its name."""
    from envfreeze.engines._podman import qualified

    text = dockerfile.read_text(encoding="utf-8")
    text = re.sub(r"^FROM ([^\s@]+)", lambda match: f"FROM {qualified(match[1])}", text, flags=re.MULTILINE)
    dockerfile.write_text(text, encoding="utf-8")


def _image_id(client: DockerClient, recipe: Recipe) -> str | None:
    from docker.errors import ImageNotFound

    try:
        return client.images.get(tag(recipe)).id
    except ImageNotFound:
        return None


def _remove_replaced(client: DockerClient, recipe: Recipe, old: str | None) -> None:
    """Give back the disk of an image that lost its name to the new one."""
    from docker.errors import APIError

    if old is not None and old != _image_id(client, recipe):
        with contextlib.suppress(APIError):  # another name or a running container may hold it
            client.images.remove(old)


@functools.cache
def buildkit_client(path: str) -> str | None:
    """The first ``docker`` on the PATH that can drive BuildKit.

    Clients before 23.0 have it built in (``DOCKER_BUILDKIT=1``), later ones need the plugin ``buildx``:
    https://docs.docker.com/build/buildkit/.
    """
    for folder in dict.fromkeys(path.split(os.pathsep)):
        program = shutil.which("docker", path=folder) if folder else None
        if program is None:
            continue
        version = re.match(r"Docker version (\d+)\.(\d+)", _ask(program, "--version"))
        if version is None:
            continue
        if (18, 9) <= (int(version[1]), int(version[2])) < (23, 0) or "buildx" in _ask(
            program, "buildx", "version"
        ):
            return program
    return None


def _ask(*command: str) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout if answer.returncode == 0 else ""


class _Builder(NamedTuple):
    """A program that builds with mounts for secrets and caches, and its variables."""

    engine: str
    command: tuple[str, ...]
    environment: dict[str, str]


def _builder(connection: Connection) -> _Builder | None:
    if connection.builder:
        from envfreeze.engines._podman import build_variables

        return _Builder(connection.engine, connection.builder, build_variables())
    program = None if connection.podman else buildkit_client(os.environ.get("PATH", ""))
    if program is None:
        return None
    environment = {name: value for name, value in os.environ.items() if name != "DOCKER_CONTEXT"}
    environment |= {"DOCKER_BUILDKIT": "1", "DOCKER_HOST": connection.host, "BUILDX_BUILDER": "default"}
    return _Builder("docker", (program, "build", "--progress", "plain"), environment)


def _with_mounts(
    builder: _Builder,
    client: DockerClient,
    recipe: Recipe,
    context: Path,
    mounts: dict[str, Path],
    progress: Progress,
    *,
    force: bool,
) -> None:
    if not _docker_secrets.has_own_index(of_this_machine()):
        _lend_uv(client, recipe, context)
    command = [*builder.command, "--tag", f"{DOCKER_HUB}/{tag(recipe)}"]
    for name, path in mounts.items():
        command += ["--secret", f"id={name},src={path}"]
    if force:
        command.append("--no-cache")
    status, lines = _follow([*command, str(context)], builder.environment, progress)
    if status != 0:
        raise _docker_errors.explain(lines, recipe.base.reference, builder.engine)
    if not is_built(client, recipe):
        raise EnvironmentFailure("the builder ended well, and yet the engine has no such image.")


def _lend_uv(client: DockerClient, recipe: Recipe, context: Path) -> None:
    """Put this machine's uv into the context when it can run in the image: it installs faster than pip.

    It is a mount of the installing step and no part of the image. uv supports Python 3.8 and newer.
    """
    from packaging.version import Version

    from envfreeze.engines._local_install import find_uv

    uv = find_uv()
    same_machine = client.version().get("Arch") in {_go_architecture(), None}
    if (
        uv is None
        or not same_machine
        or "alpine" in recipe.base.reference
        or Version(recipe.python).release < (3, 8)
    ):
        return
    target = context / BUILD / "uv"
    try:
        os.link(Path(uv).resolve(), target)
    except OSError:
        shutil.copyfile(uv, target)
        target.chmod(0o755)


def _go_architecture() -> str:
    import platform

    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _follow(command: list[str], environment: dict[str, str], progress: Progress) -> tuple[int, list[str]]:
    """Exit status and last lines of a build client, which does not outlive this call."""
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if told := _STEP.sub("", line.rstrip()):
                lines.append(told)
                progress.detail(told)
        return process.wait(), list(lines)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()


def _with_classic_builder(
    client: DockerClient, recipe: Recipe, context: Path, progress: Progress, *, force: bool
) -> None:
    """Without mounts nothing secret may reach the builder, so that all downloads are made here."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    if not recipe.build_tools:
        pip = of_this_machine()
        _download_wheels(recipe, pip, context / BUILD, "requirements.txt", progress)
        if recipe.conda is not None:
            tool = msgspec.structs.replace(recipe, requirements=recipe.conda.tool)
            _download_wheels(tool, pip, context / BUILD, "conda/tool.txt", progress)
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        answers = client.api.build(
            fileobj=_packed(context),  # type: ignore[arg-type]
            custom_context=True,
            tag=tag(recipe),
            nocache=force,
            rm=True,
            forcerm=True,
            decode=True,
            buildargs={},
        )
        for answer in answers:
            _take(answer, lines, progress)
            if "error" in answer:
                raise _docker_errors.explain(list(lines), recipe.base.reference)
    except (DockerException, RequestException, OSError) as error:
        lines.append(str(error))
        raise _docker_errors.explain(list(lines), recipe.base.reference) from error
    if not is_built(client, recipe):
        lines.append("the engine's builder ended without an image")
        raise _docker_errors.explain(list(lines), recipe.base.reference)


def _download_wheels(recipe: Recipe, pip: Configuration, build: Path, name: str, progress: Progress) -> None:
    """Let a file of requirements be met from files beside it."""
    downloaded = _docker_wheels.download(recipe, pip, progress=progress)
    _add_wheels(build, downloaded)
    offline = _docker_wheels.offline_requirements(recipe.requirements, downloaded)
    (build / name).write_text(offline, encoding="utf-8")


def _take(answer: dict[str, Any], lines: deque[str], progress: Progress) -> None:
    text = str(answer.get("stream") or answer.get("error") or answer.get("status") or "")
    for line in text.splitlines():
        if line.strip():
            lines.append(line.rstrip())
            progress.detail(line.rstrip())


def _add_wheels(build: Path, downloaded: dict[str, Path]) -> None:
    (build / "wheels").mkdir(exist_ok=True)
    for name, path in downloaded.items():
        target = build / "wheels" / name
        if not target.exists():
            try:
                os.link(path, target)
            except OSError:
                shutil.copyfile(path, target)


def _packed(folder: Path) -> Iterator[bytes]:
    """The folder as a tar file, made while the engine reads it."""
    reading, writing = os.pipe()

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "wb") as stream:  # noqa: SIM117
            with tarfile.open(fileobj=stream, mode="w|") as archive:
                archive.add(folder, arcname=".")

    threading.Thread(target=write, daemon=True).start()
    with os.fdopen(reading, "rb") as packed:
        while data := packed.read(files.CHUNK):
            yield data

"""Running a job in a container that can change nothing but its own volumes.

Two containers are made. The *carrier* never runs: it owns the volumes, files go in and outputs come out
through it. The *worker* runs the command with the carrier's volumes on a read-only system. (Into a container
whose system is read-only Docker copies only below the volumes, so that their own owner could not be set.)
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from envfreeze.determinism import _force
from envfreeze.engines import _podman_run
from envfreeze.engines._archive import pack, unpack_outputs
from envfreeze.engines._docker_disk import Gauge
from envfreeze.engines._docker_errors import said_of
from envfreeze.engines._docker_gpus import explained, gpu_options
from envfreeze.engines._docker_gpus import variables as without_gpus
from envfreeze.engines._docker_layout import Layout, home_of, layout
from envfreeze.engines._podman_run import PODMAN
from envfreeze.engines._tapes import (
    STATE,
    brought,
    is_equipped,
    pack_into,
    playing,
    read_state,
    unpack_state,
)
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.files import stop_if_told
from envfreeze.progress import Progress
from envfreeze.records.run import Image, Job, JobResult
from envfreeze.records.tapes import LeftTape
from envfreeze.store import Store

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

OWNER = "envfreeze.owner"
"""Label of all that is made for a run: which process on which machine will remove it."""
USER = 1000
TIMED_OUT = 124
GRACE = 10
"""Seconds between SIGTERM and SIGKILL, as ``docker stop`` has it."""

ISOLATED = ("file system", "users and capabilities", "processes", "C library and system packages")
NOT_ISOLATED = ("kernel", "processor")


def run(
    client: DockerClient, image: Image, job: Job, store: Store, folder: Path, *, progress: Progress
) -> JobResult:
    """See ``Engine.run``; containers and volumes are removed whatever happens."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    place = layout(job)
    made: list[Container] = []
    try:
        remove_stale(client)
        carrier = _carrier(client, image, _volumes(place, job), made)
        if image.engine == PODMAN:
            _podman_run.settle(carrier)
        # Docker sets a volume's own owner only from above, and Podman fills it only from within.
        carrier.put_archive("/", pack("/", _volumes(place, job), {}, store, owner=USER))
        for volume in place.volumes:
            carrier.put_archive(volume, pack(volume, place.made, place.files, store, owner=USER))
        if is_equipped(job):
            _bring_tapes(carrier, job)
        worker = _worker(client, image, job, place, carrier, made)
        ended = _run_worker(client, worker, carrier, job, folder, progress)
        if image.engine == PODMAN:
            status, more = _podman_run.as_docker_says(client, ended.status, job, folder)
            ended = ended._replace(status=status, notes=ended.notes + more)
        notes = place.notes + ended.notes + _take_outputs(carrier, place, store, folder)
        left, tape_notes, said = _take_tape_state(carrier, job, folder)
        return JobResult(
            exit_status=ended.status,
            timed_out=ended.timed_out,
            duration=ended.duration,
            project=place.project,
            prefix=_prefix(client, image),
            isolated=ISOLATED if job.network else ("network", *ISOLATED),
            not_isolated=("network", *NOT_ISOLATED) if job.network else NOT_ISOLATED,
            notes=notes + tape_notes,
            left_tape=left,
            settings=_force.verified(job.settings, said),
            warned=said.warned,
        )
    except (DockerException, RequestException, tarfile.TarError) as error:
        raise _in_words(error, image) from error
    finally:
        _remove(reversed(made))


_TAPES = "/opt/envfreeze"
"""Where the command finds its tapes."""


def _volumes(place: Layout, job: Job) -> tuple[str, ...]:
    return place.volumes if not is_equipped(job) else (*place.volumes, _TAPES)


def _bring_tapes(carrier: Container, job: Job) -> None:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as archive:
        pack_into(archive, brought(job, Path(folder), _TAPES), owner=USER)
        archive.seek(0)
        carrier.put_archive(_TAPES, archive)


def _take_tape_state(
    carrier: Container, job: Job, folder: Path
) -> tuple[tuple[LeftTape, ...], tuple[str, ...], _force.Said]:
    if not is_equipped(job):
        return (), (), _force.Said()
    with tempfile.TemporaryDirectory(dir=folder) as state:
        chunks, _ = carrier.get_archive(f"{_TAPES}/{STATE}")
        unpack_state(chunks, Path(state))
        return *read_state(Path(state), job.tapes), _force.read(Path(state))


def _carrier(
    client: DockerClient, image: Image, volumes: tuple[str, ...], made: list[Container]
) -> Container:
    from docker.types import Mount

    mounts = [
        Mount(target=volume, source="", type="volume", no_copy=True, labels={OWNER: owner()})
        for volume in volumes
    ]
    # Podman starts it, and the program that it starts is a stranger's when the image is.
    carrier = client.containers.create(
        image.reference,
        ["true"],
        entrypoint=[],
        user=f"{USER}:{USER}",
        mounts=mounts,
        labels={OWNER: owner()},
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=64,
        **gpu_options(client, None, image.engine),
        environment=without_gpus(client, image, None),
    )
    made.append(carrier)
    return carrier


def _worker(
    client: DockerClient, image: Image, job: Job, place: Layout, carrier: Container, made: list[Container]
) -> Container:
    from docker.types import LogConfig

    limits = job.limits
    options: dict[str, Any] = {}
    if limits.cpus:
        options["nano_cpus"] = int(limits.cpus * 1e9)
    if limits.memory:
        options |= {"mem_limit": limits.memory, "memswap_limit": limits.memory}
    # Open to all, as Podman knows no owner here; nobody else is in the container.
    open_to_all = "exec,nosuid,nodev,mode=1777" + (_podman_run.EMPTY if image.engine == PODMAN else "")
    in_memory = dict.fromkeys(place.temporary, open_to_all)
    home = home_of(job)
    if not any(volume == home or home.startswith(f"{volume}/") for volume in place.volumes):
        in_memory[home] = open_to_all
    options |= gpu_options(client, job.gpus, image.engine)
    command, variables = _command(job, place), _variables(job) | without_gpus(client, image, job.gpus)
    if is_equipped(job):
        taped, more = playing(job, command, _TAPES, job.project)
        command, variables = list(taped), variables | more
    worker = client.containers.create(
        image.reference,
        command,
        entrypoint=[],
        working_dir=place.directory,
        environment=variables,
        user=f"{USER}:{USER}",
        volumes_from=[str(carrier.id)],
        mounts=_mounts(job),
        tmpfs=in_memory,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        network_mode="bridge" if job.network else "none",
        pids_limit=limits.processes or -1,
        shm_size=1 << 31,
        init=True,
        log_config=LogConfig(type="none"),
        labels={OWNER: owner()},
        stdin_open=False,
        **options,
    )
    made.append(worker)
    return worker


def _command(job: Job, place: Layout) -> list[str]:
    """The command, with an interpreter of the original machine replaced by the image's."""
    from envfreeze.recipe.command import portable

    program = os.path.normpath(os.path.join(place.directory, job.command[0]))  # noqa: PTH118
    return list(job.command if program in place.files else portable(job.command))


def _variables(job: Job) -> dict[str, str]:
    """The job's, except for what leads to programs and folders of the original machine."""
    kept = {name: value for name, value in job.environment.items() if name not in {"PATH", "HOME"}}
    return kept | {"HOME": home_of(job)}


def _mounts(job: Job) -> list[Any]:
    """Data of this machine, read-only.

    Raises:
        InputError: the user of the container may not read it.
    """
    from docker.types import Mount

    for mount in job.mounts:
        status = os.stat(mount.source)  # noqa: PTH116
        if not status.st_mode & 0o004 and status.st_uid != USER:
            raise InputError(
                f"{mount.source} cannot be read by the user of the container.",
                hint=f"Let others read it: chmod o+rX {shlex.quote(mount.source)}",
            )
    return [
        Mount(target=mount.path, source=mount.source, type="bind", read_only=True) for mount in job.mounts
    ]


class _Ended(NamedTuple):
    status: int
    timed_out: bool
    duration: float
    notes: tuple[str, ...]


def _run_worker(
    client: DockerClient, worker: Container, carrier: Container, job: Job, folder: Path, progress: Progress
) -> _Ended:
    stream = client.api.attach(str(worker.id), stream=True, demux=True)  # before the start, to miss nothing
    failures: list[Exception] = []
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:

        def copy() -> None:
            try:
                _copy_streams(stream, stdout, stderr, progress)
            except Exception as error:  # told by the thread that waits
                failures.append(error)

        reader = threading.Thread(target=copy, daemon=True)
        started = time.monotonic()
        worker.start()
        reader.start()
        gauge = Gauge(client, carrier, folder, job.limits.disk, progress)
        timed_out, excess = _wait(reader, job.limits.timeout, gauge)
        if excess:
            with contextlib.suppress(Exception):
                worker.kill()
            reader.join(GRACE)
        if timed_out:
            progress.detail("the time limit is over; stopping the command")
            with contextlib.suppress(Exception):
                worker.stop(timeout=GRACE)
            reader.join(GRACE)
        duration = time.monotonic() - started
        if failures and isinstance(failures[0], OSError) and failures[0].errno:
            raise failures[0]
        status = int(worker.wait(timeout=60)["StatusCode"])
    worker.reload()
    notes: tuple[str, ...] = (excess,) if excess else ()
    if worker.attrs["State"].get("OOMKilled"):
        notes += ("the memory limit ended a process of the run",)
    return _Ended(TIMED_OUT if timed_out else status, timed_out, round(duration, 3), notes)


def _wait(reader: threading.Thread, limit: float | None, gauge: Gauge) -> tuple[bool, str | None]:
    """Wait for the streams' end; whether the time limit came first, or which other one, in words.

    Short naps let Ctrl-C through.
    """
    deadline = None if limit is None else time.monotonic() + limit
    while reader.is_alive():
        stop_if_told()
        left = 1.0 if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return True, None
        reader.join(min(left, 1.0))
        if reader.is_alive() and (excess := gauge.excess()):
            return False, excess
    return False, None


def _copy_streams(stream: Any, stdout: IO[bytes], stderr: IO[bytes], progress: Progress) -> None:
    for out, err in stream:
        for data, target in ((out, stdout), (err, stderr)):
            if data:
                target.write(data)
                for line in data.decode("utf-8", "replace").splitlines():
                    progress.detail(line)


def _take_outputs(carrier: Container, place: Layout, store: Store, folder: Path) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    for root in dict.fromkeys((place.project, *place.folders)):
        destination = folder / "outputs"
        skip: tuple[str, ...] = ()
        if root != place.project:
            destination, skip = destination / "@root" / root.lstrip("/"), (place.project,)
        chunks, _ = carrier.get_archive(root, chunk_size=1 << 20)
        notes += unpack_outputs(chunks, root, place.files, store, destination, skip=skip)
    return notes


def _prefix(client: DockerClient, image: Image) -> str:
    """``sys.prefix`` of the official images, python:* and pypy:*, and of conda environments in an image."""
    variables = client.images.get(image.reference).attrs["Config"].get("Env") or ()
    for text in variables:
        if text.startswith("CONDA_PREFIX="):
            return str(text.partition("=")[2])
    return "/opt/pypy" if any(text.startswith("PYPY_VERSION=") for text in variables) else "/usr/local"


def owner() -> str:
    """This process, told apart from an earlier one with the same number by its start."""
    import psutil

    return f"{socket.gethostname()}:{os.getpid()}:{int(psutil.Process().create_time())}"


def remove_stale(client: DockerClient) -> None:
    """Remove containers of processes of this machine that were killed before they could do it."""
    from docker.errors import APIError

    for container in client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True):
        with contextlib.suppress(APIError):
            if _is_orphan(container.labels.get(OWNER, "")):
                container.remove(force=True, v=True)


def _is_orphan(label: str) -> bool:
    import psutil

    host, _, process = label.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname() or not process.isdigit():
        return False
    try:
        return str(int(psutil.Process(int(process)).create_time())) != label.rpartition(":")[2]
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _remove(containers: Iterator[Container]) -> None:
    for container in containers:
        with contextlib.suppress(Exception):  # the engine may be gone; the next run cleans up then
            container.remove(force=True, v=True)


def _in_words(error: Exception, image: Image) -> EnvironmentFailure:
    from docker.errors import APIError, ImageNotFound

    text = str(getattr(error, "explanation", None) or error)
    if said := explained(text):
        return said

    def failure(sentence: str, hint: str = "") -> EnvironmentFailure:
        return EnvironmentFailure(said_of(image.engine, sentence), hint=said_of(image.engine, hint))

    if isinstance(error, ImageNotFound):
        return failure(
            f"the image {image.reference} is not there any more.", "Make it again with: envfreeze build"
        )
    if "no space left" in text.lower():
        return failure(
            "the disk of the Docker engine is full.", "Free some space, e.g. with: docker system prune"
        )
    if not isinstance(error, APIError):
        return failure(
            "the Docker engine went away during the run.",
            "Start it again (sudo systemctl start docker) and repeat the command.",
        )
    return failure(f"Docker cannot run the command: {text}.")

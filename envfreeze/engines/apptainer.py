"""Engine ``apptainer``: replays on clusters, where nobody is root and no daemon runs.

The image comes from a bundle's OCI layout (``pack --with-image``), or from Docker or Podman where one of them
is there too. It has been tried against a stand-in for Apptainer only, so ``auto`` never takes it.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

import msgspec

from envfreeze import files
from envfreeze.determinism import _force
from envfreeze.engines import Check, _apptainer, _local_process
from envfreeze.engines._apptainer import Mount
from envfreeze.engines._docker_layout import Layout, home_of, layout
from envfreeze.engines._tapes import STATE, brought, is_equipped, playing, read_state
from envfreeze.engines._workspace import Workspace, collect, lay_out, scan
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.progress import Progress
from envfreeze.recipe.command import portable
from envfreeze.records.recipe import Recipe
from envfreeze.records.run import Image, Job, JobResult
from envfreeze.store import Store

ISOLATED = ("file system", "processes", "C library and system packages")
NOT_ISOLATED = ("users", "kernel", "processor")
_TAPES = "/opt/envfreeze"
"""Where the command finds its tapes."""


class Apptainer:
    """See ``Engine`` for what each method promises."""

    name = "apptainer"
    preference = 5

    def check(self) -> Check:
        """Its version."""
        program = _apptainer.program()
        if program is None:
            return Check(
                name="apptainer",
                state="missing",
                found="there is no apptainer on the PATH",
                mend="On a cluster, try: module load apptainer",
            )
        try:
            asked = subprocess.run(
                [program, "--version"], capture_output=True, text=True, timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return Check(name="apptainer", state="missing", found=f"{program} does not say its version")
        return Check(name="apptainer", state="ok", found=asked.stdout.strip())

    def base_digest(self, reference: str) -> str | None:
        """No registry is asked here."""
        return None

    def base_exists(self, reference: str) -> bool | None:
        """No registry is asked here."""
        return None

    def build(self, recipe: Recipe, store: Store, *, progress: Progress, force: bool = False) -> Image:
        """A SIF file in the user's cache, made once from an OCI layout."""
        started = time.monotonic()
        place = files.user_cache() / "apptainer" / f"{recipe.environment_id}.sif"
        image = Image(engine=self.name, reference=str(place), environment_id=recipe.environment_id)
        if place.is_file() and not force:
            return image
        bundled = store.bundle and store.bundle / "environments" / recipe.environment_id[:12] / "image"
        notes: tuple[str, ...] = ()
        with store.temporary() as scratch:
            if bundled and _apptainer.is_of(bundled, recipe.environment_id):
                _convert(bundled.resolve(), place, progress)
                notes = ("the image is the bundle's own",)
            else:
                saved = _saved(recipe, store, scratch / "image", progress, force=force)
                _convert(saved, place, progress)
        return msgspec.structs.replace(
            image, built=True, notes=notes, duration=round(time.monotonic() - started, 3)
        )

    def run(self, image: Image, job: Job, store: Store, folder: Path, *, progress: Progress) -> JobResult:
        """In namespaces of its own, on a read-only image; the project's files are laid out beside it."""
        if not Path(image.reference).is_file():
            raise EnvironmentFailure(
                f"the image {image.reference} is not there any more.",
                hint="Make it again with: envfreeze build --engine apptainer",
            )
        try:
            with store.temporary() as scratch:
                return _run(image, job, store, folder, scratch.absolute(), progress)
        except OSError as error:
            raise EnvironmentFailure(f"the run failed: {error}.") from error


def _program() -> str:
    found = _apptainer.program()
    if found is None:
        raise EnvironmentFailure("there is no apptainer on the PATH.", hint="Try: module load apptainer")
    return found


def _saved(recipe: Recipe, store: Store, folder: Path, progress: Progress, *, force: bool) -> Path:
    """The layout of an image that another engine on this machine makes."""
    from envfreeze.bundle.image import unpacked
    from envfreeze.engines._container_engine import preferred

    try:
        engine = preferred()
    except EnvironmentFailure as error:
        raise InputError(
            "apptainer needs the image of a bundle, and this is none, or one without it.",
            hint="Pack it where Docker or Podman is: envfreeze pack --with-image",
        ) from error
    image = engine.build(recipe, store, progress=progress, force=force)
    return unpacked(engine.save(image), folder, image.reference)


def _convert(source: Path, place: Path, progress: Progress) -> None:
    """Make the SIF file, whole or not at all; beside it stands what is asked of it at each run."""
    progress.step("building the SIF file")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        made = Path(scratch) / "image.sif"
        # The name has a grammar of its own, so the layout is named from within the folder that it lies in.
        name = f"oci:{source.name}:{_apptainer.tag(source)}"
        built = subprocess.run(
            [_program(), "build", str(made), name],
            cwd=source.parent,
            env=_apptainer.variables({}, _apptainer.host()),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if built.returncode != 0 or not made.is_file():
            said = [line for line in built.stderr.splitlines() if line.strip()]
            raise EnvironmentFailure(
                f"apptainer cannot make the image: {said[-1].strip() if said else 'it says nothing'}.",
                hint="Its cache and temporary files need room: APPTAINER_CACHEDIR, APPTAINER_TMPDIR.",
            )
        files.write(place.with_suffix(".prefix"), _apptainer.prefix(source).encode())
        made.replace(place)


def _run(image: Image, job: Job, store: Store, folder: Path, scratch: Path, progress: Progress) -> JobResult:
    place, home = layout(job), home_of(job)
    root = scratch / "root"
    workspace = Workspace(root / place.project.lstrip("/"), root)
    mounts = [
        *_laid_out(place, workspace, store),
        *(Mount(Path(m.source), m.path, False) for m in job.mounts),
    ]
    (root / home.lstrip("/")).mkdir(parents=True, exist_ok=True)
    program = f"{place.directory}/{job.command[0]}"
    command = job.command if program in place.files else portable(job.command)
    variables = {name: value for name, value in job.environment.items() if name not in {"PATH", "HOME"}}
    state = scratch / STATE
    state.mkdir()
    if is_equipped(job):
        parts = {**brought(job, scratch, _TAPES), STATE: state}
        mounts += [Mount(path, f"{_TAPES}/{name}", name == STATE) for name, path in parts.items()]
        command, more = playing(job, command, _TAPES, place.project)
        variables |= more
    words = _apptainer.exec_command(
        _program(),
        image.reference,
        command,
        directory=place.directory,
        home=Mount(root / home.lstrip("/"), home, True),
        mounts=mounts,
        network=job.network,
        gpus=job.gpus,
    )
    before = scan(workspace)
    try:
        ended = _local_process.run(
            words,
            directory=scratch,
            environment=_apptainer.variables(variables, _apptainer.host()),
            folder=folder,
            limits=job.limits,
            progress=progress,
            room=(root,),
        )
    finally:
        collect(workspace, before, folder / "outputs", outside=job.writable)
    left, tape_notes = read_state(state)
    said = _force.read(state)
    prefix = Path(image.reference).with_suffix(".prefix")
    return JobResult(
        exit_status=ended.status,
        timed_out=ended.timed_out,
        duration=ended.duration,
        project=place.project,
        prefix=prefix.read_text() if prefix.is_file() else "/usr/local",
        isolated=ISOLATED if job.network else ("network", *ISOLATED),
        not_isolated=("network", *NOT_ISOLATED) if job.network else NOT_ISOLATED,
        notes=place.notes + _local_process.limit_notes(job.limits) + ended.notes + tape_notes,
        left_tape=left,
        settings=_force.verified(job.settings, said),
        warned=said.warned,
    )


def _laid_out(place: Layout, workspace: Workspace, store: Store) -> list[Mount]:
    """The recorded files below one folder, as if it were ``/``; those of its folders that are mounted."""
    entries = [msgspec.structs.replace(entry, path=path) for path, entry in place.files.items()]
    lay_out(entries, workspace, store)
    for path in (*place.made, *place.folders, *place.volumes, place.directory):
        workspace.place(path).mkdir(parents=True, exist_ok=True)
    return [Mount(workspace.place(volume), volume, True) for volume in place.volumes]


ENGINE = Apptainer()

"""The local engine: no daemon, no root. A virtual environment on this machine, isolated as far as it allows.

It shares kernel, C library and system libraries with the machine, and says so in every run's record.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from envfreeze import gpus
from envfreeze.determinism import _force
from envfreeze.engines import Check, _local_isolation, _local_process, _local_sandbox
from envfreeze.engines._local_command import Fitted, fit, with_links_moved
from envfreeze.engines._local_environment import Environment, failure, load, prepare
from envfreeze.engines._local_install import find_uv
from envfreeze.engines._local_sandbox import Mount
from envfreeze.engines._local_system import with_system_files
from envfreeze.engines._local_unmounted import with_links_led, with_words_led
from envfreeze.engines._tapes import STATE, brought, is_equipped, playing, read_state
from envfreeze.engines._workspace import Workspace, collect, lay_out, scan
from envfreeze.errors import EnvironmentFailure
from envfreeze.progress import Progress
from envfreeze.records.recipe import Recipe
from envfreeze.records.run import Image, Job, JobResult
from envfreeze.store import Store


class LocalEngine:
    """See ``Engine`` for what each method promises."""

    name = "local"
    preference = 10

    def check(self) -> Check:
        """It works on every machine; a warning says what it cannot keep apart here."""
        installer = "uv" if find_uv() else "pip"
        kind = _local_sandbox.best()
        if kind.startswith("bubblewrap"):
            return Check(name="local", state="ok", found=f"installs with {installer}, isolates with {kind}")
        return Check(
            name="local",
            state="warning",
            found=f"installs with {installer}, isolates with {kind}",
            mend="Install bubblewrap (apt install bubblewrap) so that a replay sees only its own files.",
        )

    def base_digest(self, reference: str) -> str | None:
        """No registry is asked here."""
        return None

    def base_exists(self, reference: str) -> bool | None:
        """No registry is asked here."""
        return None

    def build(self, recipe: Recipe, store: Store, *, progress: Progress, force: bool = False) -> Image:
        started = time.monotonic()
        environment, made = prepare(recipe, store, progress=progress, force=force)
        return Image(
            engine=self.name,
            reference=environment.path,
            environment_id=recipe.environment_id,
            built=made,
            duration=round(time.monotonic() - started, 3) if made else 0.0,
            notes=environment.notes + ((_OWN_CUDA,) if recipe.base.cuda is not None else ()),
        )

    def run(self, image: Image, job: Job, store: Store, folder: Path, *, progress: Progress) -> JobResult:
        environment = load(Path(image.reference))
        if environment is None:
            raise EnvironmentFailure(f"the environment {image.reference} is gone; build it again.")
        try:
            with store.temporary() as scratch:
                return _run(environment, job, store, folder, scratch.absolute(), progress)
        except OSError as error:
            raise failure("the run failed", error, folder) from error


_OWN_CUDA = "CUDA's libraries are this machine's own, as the recorded run loaded the system's"


def _run(
    environment: Environment, job: Job, store: Store, folder: Path, scratch: Path, progress: Progress
) -> JobResult:
    job = with_system_files(_with_gpus(job))
    workspace = _workspace(job, scratch)
    view = _local_isolation.view(job, environment, workspace, scratch)
    fitted = fit(job, environment, project=view.project, home=view.home, temporary=view.temporary)
    if not view.isolated:
        progress.warn(_NOT_ISOLATED)
        fitted = _kept_inside(with_words_led(fitted, job, workspace), workspace)
    state = scratch / "tape-state"
    state.mkdir()
    view, fitted = _with_tapes(view, fitted, job, state)
    links_led = with_links_moved(job, view.project)
    if not view.isolated:
        links_led = with_links_led(job, view.project, workspace)
    lay_out(links_led, workspace, store)
    _make_directory(job, workspace)
    before = scan(workspace)
    try:
        ended = _start(view, fitted, job, folder, scratch, progress)
    finally:
        collect(workspace, before, folder / "outputs", outside=job.writable)
    left, tape_notes = read_state(state, job.tapes)
    said = _force.read(state)
    return JobResult(
        exit_status=ended.status,
        timed_out=ended.timed_out,
        duration=ended.duration,
        project=view.project,
        prefix=environment.path,
        isolated=_local_isolation.isolated(view, network=job.network),
        not_isolated=_local_isolation.not_isolated(view, network=job.network),
        notes=view.notes + fitted.notes + _local_process.limit_notes(job.limits) + ended.notes + tape_notes,
        left_tape=left,
        settings=_force.verified(job.settings, said),
        warned=said.warned,
    )


def _with_gpus(job: Job) -> Job:
    """Whichever GPUs are not meant are hidden by a variable where the machine has some."""
    if job.gpus is not None:
        gpus.require(job.gpus)
        return gpus.narrowed(job, job.gpus)
    if gpus.there() and not _local_sandbox.best().startswith("bubblewrap"):
        return msgspec.structs.replace(job, environment=gpus.hidden(job.environment))
    return job


def _workspace(job: Job, scratch: Path) -> Workspace:
    """Without mounts the project lies among the recorded files from elsewhere as it did, so that ``../data``
    leads from it to them."""
    outside = scratch / "outside"
    if _local_sandbox.best().startswith("bubblewrap") or job.project == "/":
        return Workspace(scratch / "project", outside)
    return Workspace(outside / job.project.lstrip("/"), outside)


_TAPES = "/run/envfreeze"
"""Where the command finds its tapes: a folder that no other mount is about."""


def _with_tapes(
    view: _local_isolation.View, fitted: Fitted, job: Job, state: Path
) -> tuple[_local_isolation.View, Fitted]:
    """The command plays its tapes, or is given a seed and settings, when the job has some."""
    if not is_equipped(job):
        return view, fitted
    brings = state.parent / "brought"
    brings.mkdir()
    parts = {**brought(job, brings, _TAPES), STATE: state}
    # What the variables lead to may lie elsewhere by now, as do modules on PYTHONPATH.
    job = msgspec.structs.replace(job, environment=fitted.variables)
    if view.isolated:
        mounts = [Mount(f"{_TAPES}/{name}", source, name == STATE) for name, source in parts.items()]
        view = view._replace(mounts=(*view.mounts, *mounts))
        command, variables = playing(job, fitted.command, _TAPES, view.project)
    else:
        folder = state.parent / "tape"
        folder.mkdir()
        for name, source in parts.items():
            (folder / name).symlink_to(source)
        command, variables = playing(job, fitted.command, str(folder), view.project)
    return view, fitted._replace(command=command, variables=fitted.variables | variables)


_NOT_ISOLATED = (
    "nothing here keeps the command from this machine's other files: replay only what you trust, "
    "or install bubblewrap"
)


def _kept_inside(fitted: Fitted, workspace: Workspace) -> Fitted:
    """A working directory elsewhere on this machine becomes one in the workspace."""
    if Path(fitted.directory).is_relative_to(workspace.project):
        return fitted
    inside = workspace.place(fitted.directory)
    inside.mkdir(parents=True, exist_ok=True)
    note = f"the working directory is {inside} instead of {fitted.directory}"
    return fitted._replace(directory=str(inside), notes=(*fitted.notes, note))


def _start(
    view: _local_isolation.View, fitted: Fitted, job: Job, folder: Path, scratch: Path, progress: Progress
) -> _local_process.Ended:
    with _local_isolation.wrapped(
        view, fitted.command, fitted.directory, network=job.network, gpus=job.gpus
    ) as wrapped:
        ended = _local_process.run(
            wrapped.command,
            directory=scratch if view.isolated else fitted.directory,
            environment=fitted.variables,
            folder=folder,
            limits=job.limits,
            progress=progress,
            pass_fds=wrapped.descriptors,
            room=(scratch,),
        )
        if not ended.timed_out and not ended.notes and not wrapped.reached():
            said = (folder / "stderr").read_text(errors="replace").strip().splitlines()
            raise EnvironmentFailure(
                f"the run could not be isolated: {said[-1] if said else 'no reason given'}."
            )
    return ended


def _make_directory(job: Job, workspace: Workspace) -> None:
    """The working directory and the expected folders exist even when no recorded file lies in them."""
    for folder in job.folders:
        (workspace.project / folder).mkdir(parents=True, exist_ok=True)
    if Path(job.directory).is_relative_to(job.project):
        relative = Path(job.directory).relative_to(job.project)
        (workspace.project / relative).mkdir(parents=True, exist_ok=True)


ENGINE = LocalEngine()

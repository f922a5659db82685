"""What each command does: the stages strung together, one short function a command.

The command line and ``import envfreeze`` both call these. Paths are taken relative to the current folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from envfreeze.errors import EnvfreezeError, InputError
from envfreeze.progress import Progress, Silent
from envfreeze.records import lockfile
from envfreeze.records.comparison import Comparison
from envfreeze.records.environment import Interpreter
from envfreeze.records.files import Gap
from envfreeze.records.lock import SCHEMA_VERSION, Lock
from envfreeze.records.recipe import BaseImage, Recipe
from envfreeze.records.run import Image, Limits, Run
from envfreeze.records.settings import Profile, Strictness
from envfreeze.store import Store

if TYPE_CHECKING:
    from envfreeze.compare import Options
    from envfreeze.engines import Engine
    from envfreeze.observer.watch import Watched


def freeze(
    command: Sequence[str] | None = None,
    *,
    project: Path | str = ".",
    python: str | None = None,
    outputs: Sequence[str] = (),
    data: Sequence[str] = (),
    data_limit: int | None = None,
    offline: bool = False,
    vendor_limit: int | None = None,
    prove: bool = True,
    profile: Profile = "recorded",
    seed: int | None = None,
    tape_limit: int | None = None,
    deep: bool = False,
    dockerfile: bool = True,
    directory: Path | str | None = None,
    environment: Mapping[str, str] | None = None,
    passthrough: tuple[int, int] = (1, 2),
    progress: Progress | None = None,
) -> Lock:
    """Run a command, watch it, and write ``envfreeze.lock`` and ``Dockerfile`` into the project folder.

    Args:
        command: what to run, as argv; None freezes the environment alone.
        project: the folder that is frozen, and that the lock is written to.
        python: interpreter to freeze when there is no command; by default the one that ``python`` means.
        outputs: patterns of the files that count as outputs; empty means all that is new or changed.
        data: ``copy``, ``reference``, ``reference:SIZE`` or ``reference:PATTERN``: whether data is copied
            into the store, or only its digest and origin are recorded.
        data_limit: bytes of data outside of the project that may be copied; by default 10 GiB.
        offline: ask no package index.
        vendor_limit: bytes of installed packages that may be kept as wheels when their index is not asked or
            does not answer; by default 2 GiB.
        prove: hold every installed package against the file that the lock pins (see ``Package.proof``).
        profile: ``recorded`` tapes the randomness and the times that the run gets, so that a replay gets the
            same; ``strict`` sets seeds, deterministic algorithms and one clock instead; ``portable`` is
            ``recorded`` with one instruction set for all libraries; ``off`` does nothing.
        seed: of the profile ``strict``; by default 0.
        tape_limit: bytes of all tapes together; by default 1 GiB.
        deep: watch the calls of every program, static ones included.
        dockerfile: write a Dockerfile as well.
        directory: where the command runs; by default the current folder.
        environment: the variables it runs with; by default this process's.
        passthrough: file descriptors that the command's output and error streams are forwarded to.

    Returns:
        The lock, whose ``run.exit_status`` says how the command ended; a failed run is written down too.

    Raises:
        InputError: the command does not exist, or the interpreter is none.
        OSError: the project folder cannot be written.
    """
    from envfreeze.claims.use import record as recorded_claims
    from envfreeze.determinism import settings_at_freeze
    from envfreeze.determinism._force import checked
    from envfreeze.determinism._kernels import require
    from envfreeze.observer import target as targets
    from envfreeze.observer.capture import options
    from envfreeze.observer.tapes import DEFAULT_LIMIT
    from envfreeze.observer.watch import watch

    progress = progress or Silent()
    folder = _absolute(project)
    if not folder.is_dir():
        raise InputError(f"the project folder {folder} does not exist.")
    data_options = options(data, folder, data_limit)
    here = _absolute(directory or Path.cwd())
    environment = os.environ if environment is None else environment
    _check_beforehand(command, folder, here, environment)
    if seed is not None and profile != "strict":
        raise InputError(f"the profile {profile} has no seed.", hint="Give --profile strict too.")
    require(profile)
    applied = settings_at_freeze(profile, dict(environment), seed=seed or 0) if command is not None else ()
    environment = {
        **environment,
        **{item.variable: item.value for item in applied if item.kind == "variable"},
    }
    store = Store(folder)
    store.create()
    with store.locked("freeze", on_wait=progress.warn):
        watched: Watched | None = None
        if command is not None:
            watched = watch(
                command,
                project=folder,
                directory=here,
                store=store,
                output_patterns=outputs,
                data=data_options,
                environment=environment,
                tape_limit=None if profile in ("off", "strict") else tape_limit or DEFAULT_LIMIT,
                profile=profile,
                settings=applied,
                strict=Strictness(seed=seed or 0) if profile == "strict" else None,
                deep=deep,
                passthrough=passthrough,
                progress=progress,
            )
        progress.step("inspecting the environment")
        variables = dict(watched.environment if watched else environment)
        executable = (watched.executable if watched else None) or python or targets.find(variables)
        indexes = Indexes(offline, prove, vendor_limit)
        lock = _inspect(watched, executable, variables, folder, indexes)
        lock = msgspec.structs.replace(lock, claims=recorded_claims(folder, store, progress))
        lock = checked(lock)
        lockfile.write(lock, folder / lockfile.NAME)
        if dockerfile:
            lock = _write_dockerfile(lock, store, folder, progress)
        _warn_of_secrets(lock, store, progress)
    return lock


def _warn_of_secrets(lock: Lock, store: Store, progress: Progress) -> None:
    """Say at once what a bundle will be refused for; the run may have taken days, and is written down."""
    from envfreeze.secrets import described, scan

    if lock.run is None:
        return
    code = [entry for entry in lock.run.files.entries if entry.kind in ("code", "configuration", "")]
    here = {entry.path: store.path(entry.sha256) for entry in code if entry.sha256 and entry.origin is None}
    for secret in scan(here):
        progress.warn(f"looks like a secret, and is in .envfreeze now: {described(secret)}")


def freeze_file(
    source: Path | str,
    *,
    project: Path | str = ".",
    python: str | None = None,
    offline: bool = False,
    dockerfile: bool = True,
    progress: Progress | None = None,
) -> Lock:
    """Write ``envfreeze.lock`` and ``Dockerfile`` from a file that says what shall be installed.

    Args:
        source: requirements.in or .txt, pyproject.toml, uv.lock, poetry.lock, environment.yml or
            conda-lock.yml.
        project: the folder that the lock is written to.
        python: a version such as ``3.11``, or an interpreter; by default what the file asks for, and this
            machine's where that fits.
        offline: ask no package index.
        dockerfile: write a Dockerfile as well.

    Raises:
        InputError: the file cannot be read or resolved.
        EnvironmentFailure: the tool that resolves it is not installed, or does not end.
        OSError: the project folder cannot be written.
    """
    from envfreeze.sources.lock import lock_of

    progress = progress or Silent()
    folder = _absolute(project)
    if not folder.is_dir():
        raise InputError(f"the project folder {folder} does not exist.")
    _check_beforehand(None, folder, folder, os.environ)
    store = Store(folder)
    store.create()
    with store.locked("freeze", on_wait=progress.warn):
        progress.step(f"reading {Path(source).name}")
        lock = lock_of(_absolute(source), folder, os.environ, python=python, offline=offline)
        lockfile.write(lock, folder / lockfile.NAME)
        return _write_dockerfile(lock, store, folder, progress) if dockerfile else lock


def _check_beforehand(
    command: Sequence[str] | None, project: Path, directory: Path, environment: Mapping[str, str]
) -> None:
    """Refuse what cannot end well before anything is run or written."""
    from envfreeze.observer.launch import find_program

    if (project / lockfile.NAME).is_dir():
        raise InputError(
            f"{project / lockfile.NAME} is a folder, where the lock has to be written.",
            hint="Move that folder away.",
        )
    if command is not None:
        find_program(command, environment, directory)


def _absolute(path: Path | str) -> Path:
    """The absolute path without ``..``; links are followed only where that needs it."""
    path = Path(path).absolute()
    return path.resolve() if ".." in path.parts else path


class Indexes(NamedTuple):
    """What may be asked of package indexes, and kept in their place; arguments of ``freeze``."""

    offline: bool
    prove: bool
    vendor_limit: int | None


def _inspect(
    watched: Watched | None,
    executable: str,
    environment: Mapping[str, str],
    project: Path,
    indexes: Indexes,
) -> Lock:
    """Ask the target and this machine, and make the lock of the answers."""
    from envfreeze.observer import target as targets
    from envfreeze.probes import VENDOR_LIMIT, Target, inspect_all

    observed = watched.gaps if watched else ()
    try:
        facts = targets.examine(executable, environment, project)
    except EnvfreezeError as error:
        if watched is None:
            raise
        # The run may have taken days: what was seen of it is written down in any case.
        facts = {}
        observed += (Gap(what="the interpreter and its packages", why=str(error)),)
    target = Target(
        executable=executable,
        directory=str(project),
        environment=dict(environment),
        facts=facts,
        libraries=watched.libraries if watched else (),
        devices=watched.devices if watched else (),
        was_run=watched is not None,
        resources=watched.resources if watched else (),
        numerics=watched.numerics if watched else (),
        offline=indexes.offline,
        vendor_limit=VENDOR_LIMIT if indexes.vendor_limit is None else indexes.vendor_limit,
        prove=indexes.prove,
        project=project,
    )
    sections, gaps = inspect_all(target)
    unknown = Interpreter(implementation="unknown", version="unknown", executable=executable)
    sections.setdefault("interpreter", unknown)
    return Lock(
        envfreeze_lock=SCHEMA_VERSION,
        run=watched.observation if watched else None,
        gaps=observed + gaps,
        **sections,
    )


def _write_dockerfile(lock: Lock, store: Store, project: Path, progress: Progress) -> Lock:
    """Choose a base image, write the Dockerfile, and put what was chosen or impossible into the lock."""
    from envfreeze.recipe.base_image import choose
    from envfreeze.recipe.context import write_project
    from envfreeze.recipe.system_packages import not_installed

    progress.step("writing the Dockerfile")
    try:
        base, gaps = choose(lock, _registry_engine())
        gaps += not_installed(base, lock.system)
        lock = msgspec.structs.replace(lock, base=base, gaps=lock.gaps + gaps)
        path = write_project(recipe_of(lock), store, project)
        if path.name != "Dockerfile":
            progress.warn(f"the project's own Dockerfile is left as it is; ours is {path.name}")
    except EnvfreezeError as error:
        lock = msgspec.structs.replace(lock, gaps=(*lock.gaps, Gap(what="Dockerfile", why=str(error))))
        progress.warn(f"no Dockerfile was written: {error}")
    lockfile.write(lock, project / lockfile.NAME)
    return lock


def _registry_engine() -> Engine | None:
    """An engine that can ask a registry which images exist, if there is one."""
    from envfreeze.engines import engines

    for engine in engines():
        if engine.name != "local" and engine.check().state == "ok":
            return engine
    return None


def recipe_of(lock: Lock) -> Recipe:
    """The recipe of a lock: Dockerfile and what it copies.

    Raises:
        InputError: the lock cannot be built.
    """
    from envfreeze.recipe.render import render

    base = lock.base or BaseImage(reference=f"python:{lock.interpreter.version}-slim")
    return render(lock, base)


def build(
    lock_path: Path | str = lockfile.NAME,
    *,
    engine: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Image:
    """Make the environment that the lock describes; an unchanged lock means no build.

    Raises:
        InputError: the lock is unusable, or pins what no index has.
        EnvironmentFailure: the engine, the network or the disk failed.
    """
    from envfreeze.engines import choose

    progress = progress or Silent()
    path = _lock_file(lock_path)
    lock = lockfile.read(path)
    chosen = choose(engine)
    return chosen.build(recipe_of(lock), Store(path.parent), progress=progress, force=force)


def _lock_file(path: Path | str) -> Path:
    return lockfile.locate(_absolute(path))


def replay(
    lock_path: Path | str = lockfile.NAME,
    *,
    command: Sequence[str] | None = None,
    engine: str = "auto",
    code: Path | str | None = None,
    limits: Limits | None = None,
    network: bool = False,
    gpus: str | None = None,
    data: Path | str | None = None,
    profile: Profile = "recorded",
    seed: int | None = None,
    options: Options | None = None,
    claims: Path | str | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run the recorded command again in the recorded environment and compare what it made.

    Args:
        lock_path: a lockfile, or the folder that it lies in.
        command: another command to run there; then nothing is compared with the original.
        engine: ``docker``, ``local`` or ``auto``.
        code: take the project's files from this folder as they are today, instead of the recorded ones.
        limits: bounds on processor, memory and time.
        network: let the command use the network.
        gpus: ``all``, a number or ``device=0,2``: GPUs of this machine that the command may use when the
            recorded run used one, or when it is another command.
        data: a folder that holds the data which the lock knows by digest only.
        profile: ``recorded`` gives the randomness and the times of the recorded run back, where they are on
            tapes, or does what the recorded run's profile did; ``off`` does nothing.
        seed: run under this seed, in the profile ``strict``.
        options: tolerances of the comparison.
        claims: a file of claims to judge by (see ``envfreeze.claims``); by default the recorded one.

    Returns:
        The record, kept under ``.envfreeze/runs/<id>/`` too; ``comparison`` is unset when nothing was
        compared.

    Raises:
        InputError: the lock or its store is unusable, or the lock records no run.
        EnvironmentFailure: the engine, the network or the disk failed.
    """
    from envfreeze.claims.use import for_replay
    from envfreeze.compare import Options as DefaultOptions
    from envfreeze.compare._policy import with_policy
    from envfreeze.determinism._force import not_in_force
    from envfreeze.engines import choose
    from envfreeze.gpus import granted, parse, with_gpus
    from envfreeze.jobs import job_for, playing, untaped
    from envfreeze.runs import compare_with_original, keep, record

    progress = progress or Silent()
    wanted = parse(gpus) if gpus is not None else None
    path = _lock_file(lock_path)
    lock = lockfile.read(path)
    if lock.run is None and command is None:
        raise InputError(
            f"{path} records an environment and no run, so there is nothing to replay.",
            hint="Give a command: envfreeze replay -- python train.py",
        )
    store = Store(path.parent)
    given = _absolute(claims) if claims is not None else None
    claimed = for_replay(lock, store, given, progress) if command is None else ()
    plays = playing(lock, store, profile, seed=seed, same_command=command is None)
    lock, switches = plays.lock, plays.switches
    job = job_for(
        lock, store, switches, command=command, code=code, limits=limits, network=network, data=data
    )
    of_machine, gpu_notes = granted(lock, wanted, same_command=command is None)
    job = with_gpus(plays.of(job), of_machine)
    chosen = choose(engine)
    image = chosen.build(recipe_of(lock), store, progress=progress)
    progress.step(f"running the command with engine {chosen.name}")
    started = datetime.now(UTC)
    with store.temporary() as unfinished:
        (unfinished / "outputs").mkdir()
        result = chosen.run(image, job, store, unfinished, progress=progress)
        run = record(path, image, job, result, result.settings or switches, started, unfinished)
        run = msgspec.structs.replace(
            run,
            notes=gpu_notes + run.notes + plays.notes + untaped(lock) + not_in_force(run.settings),
            left_tape=result.left_tape,
            profile=plays.profile,
            seed=plays.seed,
            warned=result.warned,
        )
        if command is not None or code is not None:
            run = msgspec.structs.replace(run, code="given")
        if command is None:
            progress.step("comparing with the original")
            comparison = compare_with_original(
                lock,
                store,
                run,
                result,
                unfinished,
                with_policy(options or DefaultOptions(), path.parent),
                claimed,
            )
            run = msgspec.structs.replace(run, comparison=comparison)
        return keep(run, unfinished, store)


def export(
    lock_path: Path | str = lockfile.NAME, *, to: str, output: Path | str | None = None
) -> tuple[tuple[str, str], ...]:
    """The lock's packages in another tool's format (see ``envfreeze.exports``).

    Args:
        lock_path: a lockfile, or the folder that it lies in.
        to: ``pylock``, ``requirements``, ``uv``, ``environment``, ``conda-lock`` or ``explicit``.
        output: a file to write, or a folder (that exists or ends with ``/``); None writes nothing but the
            vendored wheels that the text names.

    Returns:
        Path and text of each file.

    Raises:
        InputError: the format cannot hold this lock, or a file of somebody else's lies there.
    """
    from envfreeze.exports.write import export_lock

    path = _lock_file(lock_path)
    return export_lock(lockfile.read(path), path.parent, to=to, output=output)


def diff(
    original: Path | str,
    replay: Path | str,
    *,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two folders, two files, or two recorded runs.

    Raises:
        InputError: one of them does not exist or cannot be read.
    """
    from envfreeze.compare import Options as DefaultOptions
    from envfreeze.compare._policy import with_policy
    from envfreeze.compare.outputs import compare_sets, side_of_folder

    (progress or Silent()).step("comparing")
    return compare_sets(
        side_of_folder(Path(original)),
        side_of_folder(Path(replay)),
        with_policy(options or DefaultOptions(), Path.cwd()),
    )

"""``freeze``: run a command, watch it, and write the lock and the Dockerfile."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from envfreeze.errors import EnvfreezeError, InputError
from envfreeze.files import absolute
from envfreeze.progress import Progress, Silent
from envfreeze.recipe import recipe_of
from envfreeze.records import lockfile
from envfreeze.records.environment import Interpreter
from envfreeze.records.files import Gap
from envfreeze.records.lock import SCHEMA_VERSION, Lock
from envfreeze.records.settings import Profile, Strictness
from envfreeze.store import Store

if TYPE_CHECKING:
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
    folder = absolute(project)
    if not folder.is_dir():
        raise InputError(f"the project folder {folder} does not exist.")
    data_options = options(data, folder, data_limit)
    here = absolute(directory or Path.cwd())
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
    folder = absolute(project)
    if not folder.is_dir():
        raise InputError(f"the project folder {folder} does not exist.")
    _check_beforehand(None, folder, folder, os.environ)
    store = Store(folder)
    store.create()
    with store.locked("freeze", on_wait=progress.warn):
        progress.step(f"reading {Path(source).name}")
        lock = lock_of(absolute(source), folder, os.environ, python=python, offline=offline)
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
    from envfreeze.engines._container_engine import ContainerEngine

    return next((one for one in engines() if isinstance(one, ContainerEngine) and one.answers()), None)

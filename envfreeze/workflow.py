"""What each command does: the stages strung together, one short function a command.

The command line and ``import envfreeze`` both call these. Paths are taken relative to the current folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from envfreeze.errors import InputError
from envfreeze.files import absolute
from envfreeze.freezing import freeze, freeze_file
from envfreeze.progress import Progress, Silent
from envfreeze.recipe import recipe_of
from envfreeze.records import lockfile
from envfreeze.records.comparison import Comparison
from envfreeze.records.run import Image, Limits, Run
from envfreeze.records.settings import Profile
from envfreeze.store import Store

if TYPE_CHECKING:
    from envfreeze.compare import Options

__all__ = ["build", "diff", "export", "freeze", "freeze_file", "replay"]


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
    return lockfile.locate(absolute(path))


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
        limits: bounds on processor, memory, time and disk; a lock in a bundle has bounds on the last three
            in any case.
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
    from envfreeze.bundle.limits import for_stranger
    from envfreeze.claims.use import for_replay
    from envfreeze.compare import Options as DefaultOptions
    from envfreeze.compare._policy import with_policy
    from envfreeze.determinism._force import not_in_force
    from envfreeze.determinism._not_promised import doubts
    from envfreeze.engines import choose
    from envfreeze.gpus import differences, granted, parse, with_gpus
    from envfreeze.jobs import altered, job_for, playing, untaped
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
    if store.bundle is not None:
        limits = for_stranger(limits, lock, store.root)
    given = absolute(claims) if claims is not None else None
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
            notes=(
                gpu_notes
                + differences(lock, run)
                + run.notes
                + plays.notes
                + untaped(lock)
                + altered(lock, store)
                + not_in_force(run.settings)
            ),
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
            doubtful = doubts(lock, run.warned, comparison)
            run = msgspec.structs.replace(run, comparison=comparison, notes=run.notes + doubtful)
        return keep(run, unfinished, store)


def export(
    lock_path: Path | str = lockfile.NAME, *, to: str, output: Path | str | None = None
) -> tuple[tuple[str, str], ...]:
    """The lock's packages in another tool's format (see ``envfreeze.exports``).

    Args:
        lock_path: a lockfile, or the folder that it lies in.
        to: the name of one of ``envfreeze.exports.exports()``, for example ``pylock``.
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

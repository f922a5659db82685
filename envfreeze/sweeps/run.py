"""Runs the frozen command again and again; every finished run is kept at once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from envfreeze.compare.sides import Side, side_of_run
from envfreeze.engines import Engine
from envfreeze.errors import InputError
from envfreeze.factors import Factor, chosen
from envfreeze.factors.seed import detected
from envfreeze.files import in_parallel, sha256
from envfreeze.metrics._find import Named, contents, find, named, of_file
from envfreeze.observer.outputs import matches
from envfreeze.progress import Progress, Silent
from envfreeze.records import lockfile
from envfreeze.records.lock import Lock
from envfreeze.records.run import Image, Job, JobResult, Limits
from envfreeze.records.sweep import Sweep, SweepRun
from envfreeze.store import Store
from envfreeze.sweeps import files
from envfreeze.sweeps.width import Width, machine, width

MAX_KEPT = 4 << 20
"""Bytes of an output that is kept of each run, when metrics are read from it."""
MAX_RUNS = 10_000
STRICT = "the profile strict"
"""Where the seed goes when the command takes none."""


class _Plan(NamedTuple):
    """What all runs of a sweep share."""

    sweep: Sweep
    lock: Lock
    store: Store
    folder: Path
    job: Job
    engine: Engine
    image: Image
    factors: tuple[Factor, ...]
    wanted: tuple[Named, ...]


def sweep(
    lock_path: Path | str = lockfile.NAME,
    *,
    count: int = 16,
    first: int = 1,
    vary: str = "seed",
    seed_to: str = "",
    metrics: Sequence[str] = (),
    engine: str = "auto",
    jobs: int | None = None,
    limits: Limits | None = None,
    gpus: str | None = None,
    data: Path | str | None = None,
    again: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, Sweep]:
    """Run the frozen command ``count`` times, in parallel as far as the machine bears it.

    Args:
        lock_path: a lockfile, or the folder that it lies in.
        count: how many runs; those that are there already are not made again.
        first: the first seed.
        vary: names of factors, with commas (see ``envfreeze.factors``).
        seed_to: what takes the seed, see ``factors/seed.py``; by default it is found in the recorded run.
        metrics: metrics by name; by default all that are found.
        engine: ``docker``, ``local`` or ``auto``.
        jobs: runs at a time; by default what cores and memory allow.
        gpus: as in ``workflow.replay``; with them it is one run at a time unless ``jobs`` says more.
        again: make failed runs again.

    Returns:
        The sweep's folder and its record.

    Raises:
        InputError: the lock is unusable or records no run, or an option is wrong.
        EnvironmentFailure: the engine, the network or the disk failed; finished runs are kept.
    """
    from envfreeze.bundle.limits import for_stranger
    from envfreeze.determinism import settings
    from envfreeze.engines import choose
    from envfreeze.gpus import granted, parse, with_gpus
    from envfreeze.jobs import job_for, playable
    from envfreeze.recipe import recipe_of

    progress = progress or Silent()
    if not 1 <= count <= MAX_RUNS:
        raise InputError(f"a sweep has 1 to {MAX_RUNS} runs, not {count}.")
    path = lockfile.locate(Path(lock_path).absolute())
    lock = lockfile.read(path)
    if lock.run is None:
        raise InputError(
            f"{path} records an environment and no run, so there is nothing to sweep.",
            hint="Freeze a run: envfreeze freeze -- python train.py",
        )
    factors, wanted = chosen(vary), tuple(named(text) for text in metrics)
    store = Store(path.parent)
    if store.bundle is not None:
        limits = for_stranger(limits, lock, store.root)
    untaped, _, _ = playable(lock, store, "off")
    switches = settings(untaped)
    job = job_for(untaped, store, switches, command=None, code=None, limits=limits, network=False, data=data)
    given, notes = granted(lock, parse(gpus) if gpus is not None else None, same_command=True)
    for note in notes:
        progress.warn(note)
    job = with_gpus(job, given)
    if not seed_to and any(factor.name == "seed" for factor in factors):
        seed_to = STRICT if lock.run.profile == "strict" else detected(lock, job.command) or STRICT
        if seed_to == STRICT:
            progress.step("nothing in the command is known to take a seed: the profile strict sets it")
    for factor in factors:
        factor.apply(job, "1", "" if seed_to == STRICT else seed_to)  # refuses early what cannot be
    chosen_engine = choose(engine)
    image = chosen_engine.build(recipe_of(untaped), store, progress=progress)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    record = Sweep(
        id=files.id_of(digest, chosen_engine.name, vary, seed_to, str(first), *metrics),
        lock=digest,
        engine=chosen_engine.name,
        command=job.command,
        factors=tuple(factor.name for factor in factors),
        seed_to=seed_to,
        first=first,
        named=tuple(metrics),
    )
    folder = files.folder_of(store, record.id)
    plan = _Plan(record, lock, store, folder, job, chosen_engine, image, factors, wanted)
    with files.alone(folder):
        return folder, _complete(plan, count, jobs, again, progress)


def _complete(plan: _Plan, count: int, jobs: int | None, again: bool, progress: Progress) -> Sweep:
    done = files.finished(plan.folder)
    if again:
        done = {number: run for number, run in done.items() if not run.failed}
    todo = [number for number in range(count) if number not in done]
    if done and todo:
        progress.step(f"{len(done)} runs are there already; {len(todo)} to do")
    if todo:
        bearable = width(plan.lock, len(todo), cores=machine()[0], memory=machine()[1])
        if plan.job.gpus is not None:
            bearable = Width(1, "they share the GPUs")
        at_once = min(jobs or bearable.jobs, len(todo))
        progress.step(f"{len(todo)} runs, {at_once} at a time" + ("" if jobs else f" ({bearable.why})"))
        teller = _Teller(len(todo), at_once, progress)

        def work(number: int) -> None:
            run = _one(plan, number)
            done[number] = run
            teller.tell(run)
            with teller.lock:
                files.save(_summed(plan.sweep, done), plan.folder)

        in_parallel(work, todo, workers=at_once)
    summed = _summed(plan.sweep, done)
    files.save(summed, plan.folder)
    return summed


def _summed(sweep: Sweep, done: dict[int, SweepRun]) -> Sweep:
    return msgspec.structs.replace(sweep, runs=tuple(done[number] for number in sorted(done)))


class _Teller:
    """Says how far it is, from several threads."""

    def __init__(self, total: int, at_once: int, progress: Progress) -> None:
        self.lock = threading.Lock()
        self.total, self.at_once, self.progress = total, at_once, progress
        self.count, self.started = 0, time.monotonic()

    def tell(self, run: SweepRun) -> None:
        with self.lock:
            self.count += 1
            values = ", ".join(f"{name} {value}" for name, value in run.values.items())
            left = (time.monotonic() - self.started) / self.count * (self.total - self.count)
            rest = f"; about {left:.0f} s left" if self.total > self.count else ""
            how = f"failed with exit status {run.exit_status}" if run.failed else f"{run.duration:.1f} s"
            self.progress.step(f"{self.count} of {self.total}: {values}: {how}{rest}")


def _one(plan: _Plan, number: int) -> SweepRun:
    assert plan.lock.run is not None
    job, values = plan.job, {}
    for factor in plan.factors:
        offset = plan.sweep.first - 1 if factor.name == "seed" else 0
        values[factor.name] = factor.value(plan.lock, number + offset)
        passed = "" if plan.sweep.seed_to == STRICT else plan.sweep.seed_to
        job = factor.apply(job, values[factor.name], passed)
    if plan.sweep.seed_to == STRICT:
        job = _seeded_everywhere(plan, job, int(values["seed"]))
    with plan.store.temporary() as scratch:
        unfinished = scratch / "run"
        (unfinished / "outputs").mkdir(parents=True)
        result = plan.engine.run(plan.image, job, plan.store, unfinished, progress=Silent())
        run = _read(plan, number, values, result, unfinished)
        files.keep_run(run, unfinished, plan.folder)
        return run


def _seeded_everywhere(plan: _Plan, job: Job, seed: int) -> Job:
    """The job in the profile strict, which seeds every generator of the run that it knows."""
    from envfreeze.jobs import playing

    plays = playing(plan.lock, plan.store, "strict", seed=seed, same_command=True)
    variables = {item.variable: item.value for item in plays.switches if item.kind == "variable"}
    return plays.of(msgspec.structs.replace(job, environment=job.environment | variables))


def _read(plan: _Plan, number: int, values: dict[str, str], result: JobResult, unfinished: Path) -> SweepRun:
    """The run's record; outputs that hold no metrics are dropped once their digest is known."""
    assert plan.lock.run is not None
    side = side_of_run(unfinished, f"run {number}", result.exit_status)
    patterns = plan.lock.run.output_patterns
    side = Side(
        label=side.label,
        files={path: here for path, here in side.files.items() if matches(path, patterns)},
        links={path: target for path, target in side.links.items() if matches(path, patterns)},
        stdout=side.stdout,
    )
    found, missing = find(side, plan.wanted)
    outputs = {path: sha256(here) for path, here in sorted(contents(side).items())}
    named_paths = {item.path for item in plan.wanted}
    for path, here in side.files.items():
        if path not in named_paths and (here.stat().st_size > MAX_KEPT or not of_file(here, path)):
            here.unlink()
    return SweepRun(
        number=number,
        values=values,
        exit_status=result.exit_status,
        failed=result.timed_out or result.exit_status != plan.lock.run.exit_status,
        duration=round(result.duration, 3),
        metrics=found,
        outputs=outputs | side.links,
        missing=missing,
    )

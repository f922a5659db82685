"""From a recorded replay, or from a comparison, to the report on it."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections.abc import Iterator
from pathlib import Path

import envfreeze
from envfreeze.compare.sides import Side, side_of_folder, side_of_run
from envfreeze.errors import InputError
from envfreeze.files import in_parallel
from envfreeze.records import lockfile, runfile
from envfreeze.records.claims import ClaimResult
from envfreeze.records.comparison import Comparison, OutputComparison
from envfreeze.records.lock import Lock
from envfreeze.records.report import ClaimReport, Distribution, Fact, OutputReport, Report
from envfreeze.records.run import Run
from envfreeze.records.verdict import Verdict
from envfreeze.report._curves import curves
from envfreeze.report._gpu import gpu_pairs
from envfreeze.report._pictures import pictures
from envfreeze.report._seeds import distributions
from envfreeze.report._sentence import sentence
from envfreeze.report._tapes import first_hint, taped
from envfreeze.report._words import counted, duration, size
from envfreeze.runs import original_side
from envfreeze.store import Store

MAX_ILLUSTRATED = 24
"""Outputs that get pictures or curves, the worst first: a report stays small."""


def latest_run(project: Path) -> Path:
    """Folder of the newest replay of a project.

    Raises:
        InputError: nothing was replayed there yet.
    """
    found = runfile.of_project(project)
    if not found:
        raise InputError(f"{project} holds no replay to report on.", hint="Run: envfreeze replay")
    return found[0]


def newest_of(lock_path: Path) -> Path | None:
    """Folder of the newest replay of exactly this lock with its recorded code; None without one."""
    digest = hashlib.sha256(lock_path.read_bytes()).hexdigest()
    for folder in runfile.of_project(lock_path.parent):
        with contextlib.suppress(InputError):
            run = runfile.read(folder)
            if run.lock == digest and run.code == "recorded" and run.comparison:
                return folder
    return None


def report_on_run(folder: Path, required: Verdict = Verdict.EQUIVALENT) -> Report:
    """The report on a replay that lies in ``.envfreeze/runs/<id>/`` of a project.

    Raises:
        InputError: there is no such replay, it compared nothing, or the project's lock is unusable.
    """
    run = runfile.read(folder)
    if not isinstance(run.comparison, Comparison):
        raise InputError(
            f"the replay {run.id} ran another command and compared nothing.", hint="Run: envfreeze replay"
        )
    project = folder.absolute().parent.parent.parent
    path = project / lockfile.NAME
    lock, notes = None, run.notes
    if path.is_file():
        lock = lockfile.read(path)
        if hashlib.sha256(path.read_bytes()).hexdigest() != run.lock:
            lock, notes = None, (*notes, "the lock was frozen anew since this replay; it is not shown here")
    else:
        notes = (*notes, f"there is no {lockfile.NAME} beside this replay any more")
    replayed = side_of_run(folder, "replay", run.exit_status)
    original = _original(lock, Store(project)) if lock else Side(label="original")
    return Report(
        title=shlex.join(run.command),
        sentence=sentence(run.comparison, required),
        verdict=run.comparison.verdict,
        required=required,
        outputs=_outputs(run.comparison, original, replayed),
        claims=tuple(_claim(result) for result in run.comparison.claims),
        distributions=distributions(Store(project), run.lock, original, replayed) if lock else (),
        facts=tuple(_facts(lock, run)),
        settings=run.settings,
        notes=(*notes, *(f"not isolated: {what}" for what in run.not_isolated)),
        gaps=lock.gaps if lock else (),
        left_tape=run.left_tape,
        tapes=_tapes(lock, run),
        again=_again(lock, run),
        made_by=f"envfreeze {envfreeze.__version__}",
    )


def report_on_sweep(folder: Path) -> Report:
    """The report on a sweep that lies in ``.envfreeze/sweeps/<id>/`` of a project.

    Raises:
        InputError: there is none, or the project's lock is unusable.
    """
    from envfreeze.report._sweeps import sentence as said
    from envfreeze.statistics import ALPHA
    from envfreeze.sweeps.describe import describe, original_metrics
    from envfreeze.sweeps.files import locate

    folder, sweep = locate(folder)
    project = folder.absolute().parent.parent.parent
    path = project / lockfile.NAME
    lock = lockfile.read(path) if path.is_file() else None
    if lock is not None and hashlib.sha256(path.read_bytes()).hexdigest() != sweep.lock:
        lock = None
    original = original_metrics(lock, Store(project), sweep) if lock else {}
    found, left_out = describe(sweep, original) if sweep.good else ((), ())
    return Report(
        title=shlex.join(sweep.command),
        sentence=said(sweep, found, ALPHA),
        verdict=None,
        distributions=tuple(
            Distribution(
                metric=item.metric,
                values=item.values,
                original=item.original,
                note=f"Mean {item.summary.mean:.4g}, deviation {item.summary.sd or 0:.2g}. {item.note}",
            )
            for item in found
        ),
        notes=left_out,
        again=(f"envfreeze sweep --seeds {len(sweep.runs)}",),
        made_by=f"envfreeze {envfreeze.__version__}",
    )


def report_on_difference(
    original: Path, replay: Path, comparison: Comparison, required: Verdict = Verdict.EQUIVALENT
) -> Report:
    """The report on two folders, files or recorded runs that were compared."""
    sides = side_of_folder(original), side_of_folder(replay)
    return Report(
        title=f"{original} and {replay}",
        sentence=sentence(comparison, required),
        verdict=comparison.verdict,
        required=required,
        outputs=_outputs(comparison, *sides),
        again=(shlex.join(["envfreeze", "diff", str(original), str(replay)]),),
        made_by=f"envfreeze {envfreeze.__version__}",
    )


def _original(lock: Lock, store: Store) -> Side:
    """What the store has of the original's outputs; what it lacks is not illustrated."""
    try:
        return original_side(lock, store, verify=False)[0]
    except InputError:
        return Side(label="original")


def _outputs(comparison: Comparison, original: Side, replay: Side) -> tuple[OutputReport, ...]:
    sides = [_contents(side) for side in (original, replay)]
    if original.single and replay.single:
        sides = [dict.fromkeys(sides[0], next(iter(side.values()))) for side in sides]
    differing = [output for output in comparison.outputs if output.verdict is not Verdict.IDENTICAL]
    illustrated = {output.path for output in differing[:MAX_ILLUSTRATED]}
    return tuple(
        in_parallel(
            lambda output: _output(output, *sides, illustrate=output.path in illustrated), comparison.outputs
        )
    )


def _contents(side: Side) -> dict[str, Path]:
    streams = {"<stdout>": side.stdout, "<stderr>": side.stderr}
    return side.files | {name: path for name, path in streams.items() if path is not None}


def _output(
    output: OutputComparison, original: dict[str, Path], replay: dict[str, Path], *, illustrate: bool
) -> OutputReport:
    first, second = original.get(output.path), replay.get(output.path)
    shown = illustrate and first is not None and second is not None
    return OutputReport(
        path=output.path,
        verdict=output.verdict,
        reason=output.reason,
        counts=output.counts,
        comparator=output.comparator,
        original_size=output.original_size,
        replay_size=output.replay_size,
        set_aside=output.set_aside,
        differences=output.differences,
        pictures=pictures(first, second) if shown and first and second else (),
        curves=curves(first, second, output.path) if shown and first and second else (),
    )


def _claim(result: ClaimResult) -> ClaimReport:
    reason = result.reason if result.original else f"{result.reason} (and the original does not bear it)"
    return ClaimReport(
        id=result.id,
        text=result.text,
        expression=result.expression,
        location=result.location,
        holds=result.replay,
        reason=reason,
    )


def _facts(lock: Lock | None, run: Run) -> Iterator[Fact]:
    """What the two environments are, pair by pair."""
    cpu = lock.cpu if lock else None
    recorded = lock.run if lock else None
    yield Fact(name="processor", recorded=cpu.model if cpu else "", replay=run.cpu.model)
    if cpu:
        ours, theirs = set(cpu.features), set(run.cpu.features)
        yield Fact(
            name="instruction sets of one side only",
            recorded=" ".join(sorted(ours - theirs)) or "none",
            replay=" ".join(sorted(theirs - ours)) or "none",
        )
        yield Fact(name="usable cores", recorded=str(cpu.usable_cores), replay=str(run.cpu.usable_cores))
    if lock:
        yield from gpu_pairs(lock, run)
        yield Fact(
            name="system", recorded=f"{lock.system.distribution}, {lock.interpreter.libc}", replay=run.engine
        )
        yield Fact(
            name="environment",
            recorded=f"{lock.interpreter.implementation} {lock.interpreter.version}, "
            f"{counted(len(lock.packages), 'package')}",
            replay=f"the same, installed from the lock ({run.image.environment_id[:12]})",
        )
    if recorded:
        yield Fact(name="exit status", recorded=str(recorded.exit_status), replay=str(run.exit_status))
        yield Fact(name="time", recorded=duration(recorded.duration), replay=duration(run.duration))
        peak = size(recorded.peak_memory) if recorded.peak_memory else ""
        yield Fact(name="peak memory", recorded=peak, replay="")
        yield Fact(name="started", recorded=recorded.started, replay=run.started)


def _tapes(lock: Lock | None, run: Run) -> str:
    if lock is None or lock.run is None:
        return ""
    if lock.run.tapes is None:
        return "No tapes of randomness and time were recorded."
    what = taped(lock.run.tapes)
    hint = first_hint(run.left_tape)
    if not run.left_tape:
        return f"Taped: {what}; nothing was asked for that is not on them."
    return f"Taped: {what}. {hint[0].upper() + hint[1:]}." if hint else f"Taped: {what}."


def _again(lock: Lock | None, run: Run) -> tuple[str, ...]:
    by_hand = () if lock is None else ("docker build -t frozen .",)
    code = " --code FOLDER" if run.code == "given" else ""
    return (f"envfreeze replay --engine {run.engine}{code}", *by_hand)

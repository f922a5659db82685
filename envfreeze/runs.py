"""The record of a replay: made from what an engine returned, compared with the original, and kept."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from envfreeze.claims.judge import check, with_claims
from envfreeze.claims.read import Parsed
from envfreeze.compare import Options
from envfreeze.compare.outputs import compare_sets
from envfreeze.compare.sides import Side, side_of_run
from envfreeze.errors import InputError
from envfreeze.files import in_parallel, sha256, write
from envfreeze.observer.outputs import matches
from envfreeze.probes.cpu import describe
from envfreeze.probes.cuda import of_this_machine as nvidia_here
from envfreeze.probes.rocm import of_this_machine as amd_here
from envfreeze.records import runfile
from envfreeze.records.comparison import Comparison
from envfreeze.records.files import FileEntry, FileSet, StreamEntry
from envfreeze.records.lock import Lock
from envfreeze.records.run import Image, Job, JobResult, Run, Setting
from envfreeze.records.verdict import Verdict
from envfreeze.store import Store

T = TypeVar("T")


def record(
    lock_path: Path,
    image: Image,
    job: Job,
    result: JobResult,
    switches: Sequence[Setting],
    started: datetime,
    folder: Path,
) -> Run:
    """The record of a replay whose streams and outputs lie in ``folder``."""
    return Run(
        id=f"{started:%Y%m%dT%H%M%SZ}-{image.engine}-{secrets.token_hex(2)}",
        lock=hashlib.sha256(lock_path.read_bytes()).hexdigest(),
        engine=image.engine,
        image=image,
        command=job.command,
        directory=job.directory,
        started=f"{started:%Y-%m-%dT%H:%M:%SZ}",
        exit_status=result.exit_status,
        timed_out=result.timed_out,
        duration=round(result.duration, 3),
        settings=tuple(switches),
        stdout=_stream(folder / "stdout"),
        stderr=_stream(folder / "stderr"),
        outputs=_output_set(side_of_run(folder, "", result.exit_status)),
        cpu=describe(),
        cuda=nvidia_here() if job.gpus is not None and job.gpus.vendor == "nvidia" else None,
        rocm=amd_here() if job.gpus is not None and job.gpus.vendor == "amd" else None,
        isolated=result.isolated,
        not_isolated=result.not_isolated,
        notes=image.notes + result.notes,
    )


def _stream(path: Path) -> StreamEntry:
    path.touch()
    return StreamEntry(size=path.stat().st_size, sha256=sha256(path))


def _output_set(side: Side) -> FileSet:
    def entry(item: tuple[str, Path]) -> FileEntry:
        path, here = item
        return FileEntry(path=path, size=here.stat().st_size, sha256=sha256(here))

    entries = in_parallel(entry, list(side.files.items()))
    entries += [FileEntry(path=path, link=target) for path, target in side.links.items()]
    entries.sort(key=lambda found: found.path)
    return FileSet(count=len(entries), size=sum(found.size for found in entries), entries=tuple(entries))


def compare_with_original(
    lock: Lock,
    store: Store,
    run: Run,
    result: JobResult,
    folder: Path,
    options: Options,
    claims: Sequence[Parsed] = (),
) -> Comparison:
    """Hold the outputs of a replay in ``folder`` against those of the lock's run.

    Raises:
        InputError: the store's list of the original outputs is missing or damaged.
    """
    assert lock.run is not None
    original, uncompared = original_side(lock, store)
    patterns = lock.run.output_patterns
    again = side_of_run(folder, f"replay {run.id}", run.exit_status)
    again = msgspec.structs.replace(
        again, files=_only_matching(again.files, patterns), links=_only_matching(again.links, patterns)
    )
    aliases = (
        ("project folder", lock.run.project, result.project),
        ("environment prefix", lock.interpreter.prefix, result.prefix),
    )
    useful = tuple(alias for alias in aliases if alias[1] and alias[2] and alias[1] != alias[2])
    options = msgspec.structs.replace(options, aliases=options.aliases + useful)
    comparison = compare_sets(original, again, options, uncompared=uncompared)
    if comparison.verdict is Verdict.DIFFERENT and run.code == "recorded":
        comparison = _with_sweep(comparison, run, store, again)
    return with_claims(comparison, check(claims, original, again)) if claims else comparison


def _with_sweep(comparison: Comparison, run: Run, store: Store, replay: Side) -> Comparison:
    """What the sweep of the same lock says of the difference, when there is one."""
    from envfreeze import statistics
    from envfreeze.sweeps.files import of_project

    sweeps = [sweep for _, sweep in of_project(store, run.lock)]
    if not sweeps or not statistics.available():
        return comparison
    from envfreeze.sweeps.judge import for_comparison, with_sweep

    sweep = for_comparison(sweeps)
    return with_sweep(comparison, sweep, replay) if sweep is not None else comparison


def _only_matching(outputs: dict[str, T], patterns: Sequence[str]) -> dict[str, T]:
    """What the patterns of the freeze call an output; without any, all that is in the project."""
    return {path: value for path, value in outputs.items() if matches(path, patterns)}


def original_side(lock: Lock, store: Store, *, verify: bool = True) -> tuple[Side, Mapping[str, str]]:
    """The original's outputs in the store, and why some of them cannot be compared.

    Args:
        verify: read each content to see that it is the recorded one; needed for a verdict, not for a picture.

    Raises:
        InputError: the store's list of the outputs is missing or damaged.
    """
    assert lock.run is not None
    uncompared: dict[str, str] = {}

    def locate(item: tuple[str, str]) -> tuple[str, Path | None]:
        path, digest = item
        what = f"the original {path}"
        try:
            return path, store.verified(digest, what=what) if verify else store.located(digest, what=what)
        except InputError as error:
            uncompared[path] = str(error)
            return path, None

    entries = store.entries(lock.run.outputs, what="original outputs")
    wanted = [(entry.path, entry.sha256) for entry in entries if entry.sha256 is not None]
    streams = [("<stdout>", lock.run.stdout.sha256), ("<stderr>", lock.run.stderr.sha256)]
    located = {path: here for path, here in in_parallel(locate, wanted + streams) if here is not None}
    side = Side(
        label="original",
        stdout=located.pop("<stdout>", None),
        stderr=located.pop("<stderr>", None),
        files=located,
        links={entry.path: entry.link for entry in entries if entry.link is not None},
        exit_status=lock.run.exit_status,
    )
    return side, uncompared


def keep(run: Run, unfinished: Path, store: Store) -> Run:
    """Move a finished replay to its place; until then it does not exist for anybody.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    final = store.root / "runs" / run.id
    run = msgspec.structs.replace(run, folder=str(final))
    write(unfinished / runfile.NAME, runfile.dumps(run))
    final.parent.mkdir(exist_ok=True)
    shutil.move(unfinished, final)
    final.chmod(0o755)
    return run

"""One experiment of a bundle: its lock, its files, and the original outputs."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from envfreeze import gpus
from envfreeze.bundle.archive import Member
from envfreeze.bundle.claims import add_claims, described, with_claims
from envfreeze.bundle.contents import Contents
from envfreeze.bundle.layout import POINTER, object_name, recorded
from envfreeze.bundle.minimal import Minimal, minimal
from envfreeze.bundle.options import Options
from envfreeze.bundle.texts import JobText, job_text
from envfreeze.errors import InputError
from envfreeze.files import sha256
from envfreeze.records import lockfile
from envfreeze.records.artifact import BundledExperiment, Experiment
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.report._words import counted, size
from envfreeze.store import Store


def add_experiment(
    experiment: Experiment,
    lock: Lock,
    store: Store,
    environment: str,
    original: str,
    options: Options,
    contents: Contents,
    *,
    others: Sequence[frozenset[str]] = (),
) -> BundledExperiment:
    """Add the experiment's files to ``contents``; returns what the bundle says of it.

    Args:
        environment: the folder of its environment in the bundle.
        original: digest of the author's lockfile.
        others: paths of the outputs of each other experiment.

    Raises:
        InputError: the lock records no run, or content that it refers to is missing.
    """
    run = lock.run
    if run is None:
        raise InputError(
            f"the lock of {experiment.name} records an environment and no run.",
            hint="Freeze a command: envfreeze freeze -- python train.py",
        )
    folder = f"experiments/{experiment.name}"
    files = store.entries(run.files, what="recorded files")
    outputs = store.entries(run.outputs, what="original outputs")
    files, elsewhere = with_data(files, store, options.data)
    if options.data:
        # Its content travels along, so that it need not be mounted from anywhere.
        run = msgspec.structs.replace(run, files=store.add_set(files))
        lock = msgspec.structs.replace(lock, run=run)
    for entries, is_output in ((files, False), (outputs, True)):
        for entry in entries:
            _add_entry(entry, experiment.name, store, contents, output=is_output)
    for name, stream in (("stdout", run.stdout), ("stderr", run.stderr)):
        _add_object(f"{folder}/{name}", stream.sha256, store, contents, what=f"the original {name}")
    lock, claims = with_claims(experiment, lock, store, others)
    add_claims(lock, store, claims, folder, contents)
    for digest, what in further(lock):
        if not contents.holds(digest):
            _add_object(object_name(digest), digest, store, contents, what=what)
    tapes = _add_tapes(lock, store, folder, contents) if options.tapes else False
    text = lockfile.dumps(lock)
    contents.add_text(f"{folder}/envfreeze.lock", text)
    swept = _add_sweeps(store, original, text, folder, contents)
    contents.add_text(f"{folder}/{POINTER}", "../..\n")
    smoke = minimal(experiment, lock, store)
    contents.add_text(f"{folder}/job.sh", job_text(_job(lock, files, smoke)))
    return BundledExperiment(
        name=experiment.name,
        folder=folder,
        environment=environment,
        title=experiment.title,
        command=run.command,
        minimal=smoke.command,
        minimal_origin=smoke.origin,
        original_lock=original,
        duration=run.duration,
        peak_memory=run.peak_memory,
        expected_time=experiment.expected_time,
        disk=sum(entry.size for entry in (*files, *outputs)),
        gpu=_gpu(lock),
        files=len(files),
        outputs=len(outputs),
        elsewhere=elsewhere,
        claims=described(claims),
        tapes=tapes,
        swept=swept,
    )


def _job(lock: Lock, files: Sequence[FileEntry], smoke: Minimal) -> JobText:
    """How a shell starts the experiment: as a replay does, without what only envfreeze can do."""
    from envfreeze.determinism import settings
    from envfreeze.recipe.command import portable
    from envfreeze.recipe.variables import for_image, of_system

    assert lock.run is not None
    run = lock.run
    without_tapes = msgspec.structs.replace(lock, run=msgspec.structs.replace(run, tapes=None))
    switches = {item.variable: item.value for item in settings(without_tapes) if item.kind == "variable"}
    leads = of_system(lock.system)
    zone = {name: value for name, value in leads.items() if name == "TZ"}
    return JobText(
        command=portable(run.command),
        directory=run.directory,
        project=run.project,
        environment=switches | zone | for_image(run.environment),
        outside=tuple(entry.path for entry in files if entry.path.startswith("/") and entry.sha256),
        folders=run.folders,
        minimal=smoke.command,
        library_path=tuple(filter(None, leads.get("LD_LIBRARY_PATH", "").split(":"))),
    )


def _gpu(lock: Lock) -> str:
    """The author's GPUs and CUDA, in words; empty when the run used none."""
    counts = collections.Counter(f"{gpu.model} ({size(gpu.memory)})" for gpu in gpus.recorded(lock))
    words = ", ".join(f"{count} × {model}" for model, count in counts.items())
    return f"{words}, CUDA {lock.cuda.runtime}" if words and lock.cuda and lock.cuda.runtime else words


def with_data(
    entries: Sequence[FileEntry], store: Store, data: str | None
) -> tuple[tuple[FileEntry, ...], tuple[str, ...]]:
    """The entries, those recorded by digest only taken from a folder; and the paths of those that stay so."""
    kept, elsewhere = [], []
    for entry in entries:
        if entry.origin is not None and entry.sha256 is not None and data is not None:
            here = Path(data) / Path(entry.path).name
            candidates = [Path(data) / entry.path.lstrip("/"), here]
            found = next(
                (path for path in candidates if path.is_file() and sha256(path) == entry.sha256), None
            )
            if found is None:
                raise InputError(f"{entry.path} is not in {data} with its recorded content.")
            store.add_file(found)
            entry = msgspec.structs.replace(entry, origin=None)
        if entry.origin is not None:
            elsewhere.append(entry.path)
        kept.append(entry)
    return tuple(kept), tuple(elsewhere)


def _add_entry(entry: FileEntry, experiment: str, store: Store, contents: Contents, *, output: bool) -> None:
    if entry.sha256 is None or entry.origin is not None:
        return
    name = recorded(experiment, entry.path, output=output)
    if not contents.is_free(name):
        name = object_name(entry.sha256)
    what = f"the original {entry.path}" if output else entry.path
    path = located(entry, store)
    contents.add(Member(name=name, source=path, sha256=entry.sha256, executable=entry.executable, what=what))


def located(entry: FileEntry, store: Store) -> Path:
    """Where the content lies: in the store, or in the project when only the lock was committed."""
    digest = str(entry.sha256)
    here = store.root.parent / entry.path
    if digest not in store and here.is_file() and sha256(here) == digest:
        return here
    return store.located(digest, what=entry.path)


def _add_object(name: str, digest: str, store: Store, contents: Contents, *, what: str) -> None:
    contents.add(Member(name=name, source=store.located(digest, what=what), sha256=digest, what=what))


def further(lock: Lock) -> Iterator[tuple[str, str]]:
    """What else a lock refers to in the store."""
    assert lock.run is not None
    for files, what in ((lock.run.files, "recorded files"), (lock.run.outputs, "original outputs")):
        if files.manifest:
            yield files.manifest, f"the list of {what}"
    if lock.run.process_tree:
        yield lock.run.process_tree, "the list of programs"
    if lock.git and lock.git.diff:
        yield lock.git.diff, "the uncommitted changes"
    for entry in lock.system.files:
        if entry.sha256:
            yield entry.sha256, f"the system's {entry.path}"
    for package in lock.packages:
        if package.patch:
            yield package.patch, f"the changes to {package.name}"


def _add_sweeps(store: Store, original: str, text: bytes, folder: str, contents: Contents) -> tuple[str, ...]:
    """Add the author's sweeps as those of the bundle's lock, of which ``text`` is the content; in words."""
    from envfreeze.sweeps.files import NAME, dumps, folder_of, of_project

    words = []
    for place, sweep in of_project(store, original):
        sweep = msgspec.structs.replace(sweep, lock=hashlib.sha256(text).hexdigest())
        contents.add_text(f"{folder_of(Store(Path(folder)), place.name)}/{NAME}", dumps(sweep))
        words.append(f"{counted(len(sweep.good), 'run')} over {', '.join(sweep.factors)}")
    return tuple(words)


def _add_tapes(lock: Lock, store: Store, folder: str, contents: Contents) -> bool:
    assert lock.run is not None
    if lock.run.tapes is None:
        return False
    source = store.root / "tapes" / lock.run.tapes.manifest
    if not source.is_dir():
        return False
    for path in sorted(source.rglob("*")):
        if path.is_file():
            name = f"{folder}/.envfreeze/tapes/{source.name}/{path.relative_to(source)}"
            contents.add(Member(name=name, source=path, sha256=sha256(path), what="a tape"), once=False)
    return True

"""What locks and the project bear evidence of, each in one sentence; what they do not bear is not there."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from pathlib import Path

from envfreeze import gpus
from envfreeze.bundle import artifact as artifacts
from envfreeze.bundle.claims import with_claims
from envfreeze.bundle.minimal import minimal
from envfreeze.bundle.texts import LICENSES
from envfreeze.errors import InputError
from envfreeze.files import sha256
from envfreeze.records import lockfile
from envfreeze.records.artifact import Artifact, Experiment
from envfreeze.records.base import Record
from envfreeze.records.claims import ClaimResult
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation
from envfreeze.records.verdict import Verdict
from envfreeze.report._words import counted, duration, size
from envfreeze.store import Store

_SHOWN = 5
_SEEDS = ("seed", "random_state", "random_seed", "manual_seed")


class Frozen(Record):
    """One experiment with all that is known of it."""

    experiment: Experiment
    lock: Lock
    run: Observation
    store: Store
    path: Path


def gather(lock_path: Path) -> tuple[Artifact, tuple[Frozen, ...]]:
    """The experiments of the artifact that a lock belongs to.

    Raises:
        InputError: a lock cannot be read, or records no run.
    """
    project = lock_path.parent
    artifact = artifacts.read(project)
    frozen = []
    for experiment in artifacts.experiments(artifact, lock_path):
        path = project / experiment.lock
        lock = lockfile.read(path)
        if lock.run is None:
            raise InputError(
                f"{path} records an environment and no run, which a checklist asks about.",
                hint="Freeze a command: envfreeze freeze -- python train.py",
            )
        frozen.append(Frozen(experiment=experiment, lock=lock, run=lock.run, store=Store(project), path=path))
    return artifact, tuple(frozen)


def facts(artifact: Artifact, frozen: Sequence[Frozen]) -> dict[str, str]:
    """Sentences by the names that questions ask for."""
    project = frozen[0].path.parent
    found = dict(_of_environment(frozen))
    found |= dict(_of_runs(frozen))
    found |= dict(_of_files(frozen))
    found |= dict(_of_judgement(frozen))
    names = [name for name in LICENSES if (project / name).is_file()]
    if artifact.license or names:
        found["license"] = "licence: " + ", ".join([*filter(None, [artifact.license]), *names])
    found["inventory"] = (
        "README.md of the bundle lists experiments, claims and what lies where; SHA256SUMS and "
        "ro-crate-metadata.json list every file"
    )
    return found


def gaps(frozen: Sequence[Frozen]) -> tuple[str, ...]:
    """What speaks against an artifact, each once: what was not captured, claims and replays that fail."""
    found = [f"{gap.what} was not captured: {gap.why}" for one in frozen for gap in one.lock.gaps]
    for one, results in _claims(frozen):
        found += [
            f"the claim {result.id} does not hold in the original run of {one.experiment.name}"
            for result in results
            if not result.original
        ]
    for one in frozen:
        good, words = _replay(one)
        if words and not good:
            found.append(f"the newest replay of {words}")
    return tuple(dict.fromkeys(found))


def _of_environment(frozen: Sequence[Frozen]) -> Iterator[tuple[str, str]]:
    versions = sorted(
        {f"{one.lock.interpreter.implementation} {one.lock.interpreter.version}" for one in frozen}
    )
    packages = {package.name: package for one in frozen for package in one.lock.packages}
    if all(package.sha256 for package in packages.values()):
        proved = sum(package.proof == "proved" for package in packages.values())
        yield (
            "dependencies",
            f"{', '.join(versions)} and {counted(len(packages), 'package')}, each pinned to a file by SHA-256"
            f" ({proved} proved to be what was installed)",
        )
    bases = sorted({one.lock.base.reference for one in frozen if one.lock.base is not None})
    if bases:
        yield "environment", f"a Dockerfile that starts from {', '.join(bases)}"
    licensed = sum(bool(package.license) for package in packages.values())
    if packages:
        yield (
            "licenses",
            f"sbom.cdx.json names the licence of {licensed} of {counted(len(packages), 'package')}",
        )
    words = dict.fromkeys(filter(None, (_machine(one.lock) for one in frozen)))
    if words:
        yield "hardware", "; ".join(words)


def _machine(lock: Lock) -> str:
    if not lock.cpu.model:
        return ""
    cores = lock.cpu.usable_cores or lock.cpu.logical_cores
    words = [f"{lock.cpu.model}, {counted(cores, 'core')}"]
    if lock.system.memory:
        words.append(f"{size(lock.system.memory)} of memory")
    counts = collections.Counter(gpu.model for gpu in gpus.recorded(lock))
    words += [f"{count} × {model}" for model, count in counts.items()] or ["no GPU seen in use"]
    return ", ".join(words)


def _of_runs(frozen: Sequence[Frozen]) -> Iterator[tuple[str, str]]:
    names = [one.experiment.name for one in frozen]
    yield "commands", "./run.sh runs all; each one by " + ", ".join(f"./run.sh {name}" for name in names)
    yield (
        "runtime",
        "; ".join(
            f"{one.experiment.name}: {duration(one.run.duration)}, {duration(one.run.cpu)} of processor time,"
            f" {size(one.run.peak_memory)} of memory at most"
            for one in frozen
        ),
    )
    used = [one for one in frozen if one.run.network]
    yield "network", f"the network was used by {_names(used)}" if used else "no run used the network"
    counts = [(one.experiment.name, len(one.run.parameters)) for one in frozen if one.run.parameters]
    if counts:
        words = ", ".join(f"{name} {count}" for name, count in counts)
        yield (
            "hyperparameters",
            f"recorded as the run used them, defaults included: {words} (envfreeze params)",
        )
    seeds = "; ".join(f"{one.experiment.name}: {words}" for one in frozen if (words := _seeds(one)))
    if seeds:
        yield "seeds", seeds
    if len(short := [one for one in frozen if minimal(one.experiment, one.lock, one.store).command]) == len(
        frozen
    ):
        authors = [one for one in short if one.experiment.minimal]
        who = "named by the author" if len(authors) == len(short) else "some derived and not tried"
        yield "minimal", f"./run.sh --minimal ({who})"


def _seeds(one: Frozen) -> str:
    words = []
    if one.run.profile == "strict":
        words.append(f"all generators seeded with {one.run.seed or 0} (profile strict)")
    elif one.run.tapes is not None and one.run.tapes.complete:
        words.append("randomness and clock taped, and given back by envfreeze replay")
    given = {f"{item.name}={item.value}" for item in one.run.parameters if item.name.lower() in _SEEDS}
    return ", ".join([*words, *sorted(given)[:_SHOWN]])


def _of_files(frozen: Sequence[Frozen]) -> Iterator[tuple[str, str]]:
    entries = {
        (entry.path, entry.sha256): entry
        for one in frozen
        for entry in one.store.entries(one.run.files, what="recorded files")
    }
    code = [entry for entry in entries.values() if entry.kind == "code"]
    commits = sorted({one.lock.git.commit[:12] for one in frozen if one.lock.git is not None})
    if code:
        at = f", git commit {', '.join(commits)}" if commits else ""
        yield "code", f"{counted(len(code), 'file')} of code as the runs read them ({_some(code)}){at}"
    data = [entry for entry in entries.values() if entry.kind not in ("code", "configuration")]
    total = sum(entry.size for entry in data)
    if data:
        yield "data", f"{counted(len(data), 'file')} of data, {size(total)} ({_some(data)})"
    away = [entry for entry in data if entry.origin is not None]
    if data and not away:
        yield "data_inside", "all data that the runs read travel along"
    outputs = sum(one.run.outputs.count for one in frozen)
    yield "outputs", f"{counted(outputs, 'original output')} in experiments/NAME/outputs, compared by run.sh"
    yield "disk", f"recorded files and outputs: {size(total + sum(one.run.outputs.size for one in frozen))}"


def _some(entries: Sequence[FileEntry]) -> str:
    shown = sorted(entry.path for entry in entries)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _names(frozen: Sequence[Frozen]) -> str:
    return ", ".join(one.experiment.name for one in frozen)


def _of_judgement(frozen: Sequence[Frozen]) -> Iterator[tuple[str, str]]:
    from envfreeze.sweeps.files import of_project

    results = [(one.experiment.name, result) for one, found in _claims(frozen) for result in found]
    if results and all(result.original for _, result in results):
        shown = ", ".join(f"{result.id} ({name})" for name, result in results[:_SHOWN])
        more = f" and {len(results) - _SHOWN} more" if len(results) > _SHOWN else ""
        yield "claims", f"{counted(len(results), 'claim')}, true of the original outputs: {shown}{more}"
    swept = [
        f"{one.experiment.name}: {len(sweep.good)} runs over {', '.join(sweep.factors)}"
        for one in frozen
        for _, sweep in of_project(one.store, sha256(one.path))
    ]
    if swept:
        yield "runs", "; ".join(swept)
    replays = [_replay(one) for one in frozen]
    if all(good for good, _ in replays):
        yield "replayed", "; ".join(words for _, words in replays)


def _claims(frozen: Sequence[Frozen]) -> Iterator[tuple[Frozen, tuple[ClaimResult, ...]]]:
    """The claims that go with each experiment, held against its original outputs."""
    from envfreeze.claims.judge import check
    from envfreeze.runs import original_side

    made = [
        frozenset(entry.path for entry in one.store.entries(one.run.outputs, what="original outputs"))
        for one in frozen
    ]
    for place, one in enumerate(frozen):
        others = made[:place] + made[place + 1 :]
        _, parsed = with_claims(one.experiment, one.lock, one.store, others)
        if parsed:
            yield one, check(parsed, original_side(one.lock, one.store)[0])


def _replay(one: Frozen) -> tuple[bool, str]:
    """Whether the newest replay of exactly this lock agrees, and its verdict in words; empty without one."""
    from envfreeze.records import runfile
    from envfreeze.report.assemble import newest_of

    folder = newest_of(one.path)
    run = runfile.read(folder) if folder is not None else None
    if run is None or not run.comparison:
        return False, ""
    words = f"{one.experiment.name}: {run.comparison.verdict} with engine {run.engine}, {run.started}"
    return run.comparison.verdict.satisfies(Verdict.SAME_CONCLUSION), words

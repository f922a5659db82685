"""``verify``: whether a bundle is whole, and what it needs from elsewhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from envfreeze.bundle.layout import SIGNATURES, SUMS
from envfreeze.bundle.needs import CONTAINERS, LOCAL, of_environment
from envfreeze.bundle.reading import Reader
from envfreeze.errors import InputError
from envfreeze.progress import Progress
from envfreeze.records import lockfile
from envfreeze.records.artifact import Bundle, BundledExperiment, Finding, Search, Signature, Verification
from envfreeze.records.files import FileSet
from envfreeze.records.lock import Lock


def verify(
    path: Path,
    *,
    engines: tuple[str, ...] = (CONTAINERS, LOCAL),
    signers: Path | None = None,
    anonymous_for: tuple[str, ...] = (),
    progress: Progress,
) -> Verification:
    """Check every content of a bundle against its digest, and what its locks need; nothing is unpacked.

    Raises:
        InputError: it is no bundle, or built to do harm; ``signers`` cannot be read.
    """
    with Reader(path) as reader:
        progress.step(f"checking {path.name}")
        damaged = list(_damaged(reader))
        findings = damaged or list(_findings(reader, engines))
        signature = _signature(reader, signers)
        if signature.state == "bad":
            why = f"it is not of these digests ({signature.why})"
            findings.append(Finding(level="damaged", what="the signature", why=why))
        return Verification(
            path=str(path),
            whole=not any(finding.level == "damaged" for finding in findings),
            offline=not any(finding.level != "ok" for finding in findings),
            members=len(reader.files) + len(reader.links),
            size=reader.size,
            findings=tuple(findings),
            signature=signature,
            search=_search(path, reader, anonymous_for, progress) if anonymous_for and not damaged else None,
        )


def _search(path: Path, reader: Reader, texts: tuple[str, ...], progress: Progress) -> Search:
    from envfreeze.anonymous.apart import search_apart
    from envfreeze.anonymous.gather import given
    from envfreeze.anonymous.search import public

    progress.step("looking for the names")
    locks = [_lock(reader, experiment) for experiment in reader.manifest().experiments]
    return search_apart(path, [given(text) for text in texts], public(locks))


def _signature(reader: Reader, signers: Path | None) -> Signature:
    from envfreeze.bundle.signing import MAX_SIGNATURE, check

    names = [name for name in SIGNATURES if name in reader.files]
    for name in names:
        if reader.files[name].file_size > MAX_SIGNATURE:
            return Signature(state="bad", why=f"{name} is larger than any signature is")
    return check(reader.read(SUMS), {name: reader.read(name) for name in names}, signers)


def _damaged(reader: Reader) -> Iterator[Finding]:
    for name in reader.files:
        if name == SUMS:
            continue
        try:
            for _ in reader.chunks(name):
                pass
        except InputError as error:
            yield Finding(level="damaged", what=name, why=str(error))


def _findings(reader: Reader, engines: tuple[str, ...]) -> Iterator[Finding]:
    bundle = reader.manifest()
    locks: dict[str, Lock] = {}
    yield Finding(level="ok", what=f"every one of {len(reader.files)} files has its recorded content")
    for experiment in bundle.experiments:
        try:
            lock = _lock(reader, experiment)
        except InputError as error:
            yield Finding(level="damaged", what=experiment.name, why=str(error))
            continue
        locks[experiment.name] = lock
        yield from _of_experiment(reader, experiment, lock)
    yield from _of_environments(bundle, locks, engines)
    for name, why in (("LICENSE", "nobody may use the work without one"),):
        if name not in reader.files and name not in reader.links:
            yield Finding(level="missing", what=name, why=why)


def _lock(reader: Reader, experiment: BundledExperiment) -> Lock:
    data = reader.read(f"{experiment.folder}/envfreeze.lock")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / lockfile.NAME
        path.write_bytes(data)
        return lockfile.read(path)


def _of_experiment(reader: Reader, experiment: BundledExperiment, lock: Lock) -> Iterator[Finding]:
    held = set(reader.sums.values())
    run = lock.run
    if run is None:
        yield Finding(level="damaged", what=experiment.name, why="its lock records no run")
        return
    wanted = {"standard output": run.stdout.sha256, "standard error": run.stderr.sha256}
    wanted |= {f"the list of {kind}": files.manifest for kind, files in _sets(lock) if files.manifest}
    wanted |= {
        entry.path: entry.sha256
        for _, files in _sets(lock)
        for entry in files.entries
        if entry.sha256 and entry.origin is None
    }
    lost = [what for what, digest in wanted.items() if digest not in held]
    for what in lost:
        yield Finding(
            level="damaged", what=f"{experiment.name}: {what}", why="its content is not in the bundle"
        )
    if not lost:
        yield Finding(
            level="ok", what=f"{experiment.name}: recorded files and original outputs are all there"
        )
    for path in experiment.elsewhere:
        why = "recorded by digest only; give its folder with --data"
        yield Finding(level="missing", what=f"{experiment.name}: {path}", why=why)


def _sets(lock: Lock) -> tuple[tuple[str, FileSet], ...]:
    assert lock.run is not None
    return ("recorded files", lock.run.files), ("original outputs", lock.run.outputs)


def _of_environments(bundle: Bundle, locks: dict[str, Lock], engines: tuple[str, ...]) -> Iterator[Finding]:
    for environment in bundle.environments:
        names = [one.name for one in bundle.experiments if one.environment == environment.folder]
        lock = next((locks[name] for name in names if name in locks), None)
        if lock is not None:
            yield from of_environment(environment, lock, engines)

"""An anonymous copy of a project: locks, store, claims and texts with stand-ins for every identity.

It is packed as any project is, so that all that is made from locks (Dockerfile, scripts, descriptions) has
the same stand-ins, and digests hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar

import msgspec

from envfreeze.anonymous.content import rewritten
from envfreeze.anonymous.contents import Anonymizer
from envfreeze.anonymous.names import Names
from envfreeze.bundle import artifact as artifacts
from envfreeze.bundle.experiment import located, with_data
from envfreeze.bundle.texts import LICENSES, README
from envfreeze.claims.read import NAME as CLAIMS
from envfreeze.errors import InputError
from envfreeze.files import sha256, write
from envfreeze.observer import tapes as taped
from envfreeze.records import lockfile
from envfreeze.records.artifact import Anonymity, Artifact, Experiment
from envfreeze.records.base import Record
from envfreeze.records.environment import Package
from envfreeze.records.files import FileEntry, FileSet, Gap, StreamEntry
from envfreeze.records.observation import Observation
from envfreeze.records.tapes import TapeEntry
from envfreeze.store import Store

R = TypeVar("R", bound=Record)

AUTHOR = "Anonymous"
_GIT = "version control: commits, branches and remotes name their authors"
_VARIABLES = "the names of environment variables without influence on the run"
_ADDRESSES = "the addresses of other machines that the run connected to"


class Copy(NamedTuple):
    """The copy of a project."""

    folder: Path
    artifact: Artifact
    experiments: tuple[Experiment, ...]
    """Beside the originals, in the same order."""
    reports: dict[str, bytes]
    anonymity: Anonymity


def anonymous_copy(
    project: Path,
    artifact: Artifact,
    experiments: Sequence[Experiment],
    reports: Mapping[str, bytes],
    names: Names,
    scratch: Path,
    *,
    data: str | None = None,
    tapes: bool = False,
) -> Copy:
    """Make the copy in a folder below ``scratch``.

    Args:
        reports: the page on each experiment's newest replay, by the experiment's name.
        data: folder with the data that was recorded by digest only, which then is content as any other.
        tapes: whether the tapes come along.

    Raises:
        InputError: a lock or its content is missing or damaged, or two files would get one name.
        OSError: the copy cannot be written.
    """
    folder = scratch / "anonymous" / names.text(project.absolute().name)
    folder.mkdir(parents=True)
    made: list[Experiment] = []
    altered: list[str] = []
    for experiment in experiments:
        new = _texts(experiment, names)
        made.append(new)
        copier = _Copier(names, project / experiment.lock, folder / new.lock, data=data, tapes=tapes)
        altered += [f"{new.name}: {path}" for path in copier.copy()]
        if experiment.claims:
            _copy_text(project / experiment.claims, folder / new.claims, names)
    for name in (README, CLAIMS, *LICENSES):
        _copy_text(project / name, folder / name, names)
    authors = (AUTHOR,) if artifact.authors else ()
    artifact = msgspec.structs.replace(_texts(artifact, names), authors=authors, paper="")
    artifact = msgspec.structs.replace(artifact, experiments=tuple(made) if artifact.experiments else ())
    if artifact != Artifact():
        artifacts.write(artifact, folder)
    return Copy(
        folder=folder,
        artifact=artifact,
        experiments=tuple(made),
        reports={names.text(name): rewritten(names, page) or page for name, page in reports.items()},
        anonymity=Anonymity(altered=tuple(altered), left_out=(_GIT, _VARIABLES, _ADDRESSES)),
    )


def _copy_text(source: Path, target: Path, names: Names) -> None:
    if source.is_file():
        data = source.read_bytes()
        write(target, rewritten(names, data, source.name) or data)


def _texts(record: R, names: Names) -> R:
    """The record with stand-ins in all its texts."""

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return names.text(value)
        if isinstance(value, dict):
            return {walk(key): walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list | tuple) else value

    try:
        return msgspec.convert(walk(msgspec.to_builtins(record)), type(record))
    except msgspec.ValidationError as error:
        raise InputError(f"the names cannot be replaced: {error}.") from None


class _Copier:
    """Copies one lock with what it refers to."""

    def __init__(self, names: Names, source: Path, target: Path, *, data: str | None, tapes: bool) -> None:
        self.names, self.source, self.target = names, source, target
        self.data, self.tapes = data, tapes
        self.store, self.new_store = Store(source.parent), Store(target.parent)
        self.contents = Anonymizer(names, self.new_store)

    def copy(self) -> tuple[str, ...]:
        """Write the lock's copy; returns the files, outputs and streams whose content is another now."""
        lock = lockfile.read(self.source)
        run = lock.run
        if run is None:
            lockfile.write(_texts(lock, self.names), self.target)
            return ()
        files, _ = with_data(self.store.entries(run.files, what="recorded files"), self.store, self.data)
        kept = tuple(entry for entry in files if not _is_git(entry.path))
        outputs = self.store.entries(run.outputs, what="original outputs")
        new_files, new_outputs = self._entries(kept), self._entries(outputs)
        bare = msgspec.structs.replace(
            run, files=FileSet(), outputs=FileSet(), environment_names=(), network=_masked(run.network)
        )
        lock = _texts(msgspec.structs.replace(lock, run=bare, git=None), self.names)
        assert lock.run is not None
        lock = msgspec.structs.replace(
            lock,
            run=self._run(run, lock.run, new_files, new_outputs),
            packages=tuple(self._package(package) for package in lock.packages),
            system=msgspec.structs.replace(lock.system, files=self._entries(lock.system.files)),
            claims=self._claims(lock.claims),
            gaps=(*lock.gaps, *_gaps(len(files) - len(kept))),
        )
        lockfile.write(lock, self.target)
        self._sweeps()
        streams = (("<stdout>", lock.run.stdout), ("<stderr>", lock.run.stderr)) if lock.run else ()
        return (
            *(entry.path for entry in (*new_files, *new_outputs) if entry.altered),
            *(name for name, stream in streams if stream.altered),
        )

    def _entries(self, entries: Sequence[FileEntry]) -> tuple[FileEntry, ...]:
        made = [self.contents.entry(entry, self._place(entry)) for entry in entries]
        paths: set[str] = set()
        for entry in made:
            if entry.path in paths:
                raise InputError(f"two recorded files would both be called {entry.path} without names.")
            paths.add(entry.path)
        return tuple(made)

    def _place(self, entry: FileEntry) -> Path | None:
        return located(entry, self.store) if entry.sha256 and entry.origin is None else None

    def _run(
        self,
        old: Observation,
        run: Observation,
        files: tuple[FileEntry, ...],
        outputs: tuple[FileEntry, ...],
    ) -> Observation:
        tree = old.process_tree
        return msgspec.structs.replace(
            run,
            files=self.new_store.add_set(files),
            outputs=self.new_store.add_set(outputs),
            stdout=self._stream(old.stdout, "standard output"),
            stderr=self._stream(old.stderr, "standard error"),
            process_tree=self._object(tree, "the list of programs") if tree else None,
            tapes=self._taped(old),
        )

    def _object(self, digest: str, what: str) -> str:
        return self.contents.content(self.store.verified(digest, what=what), digest)[0]

    def _stream(self, stream: StreamEntry, what: str) -> StreamEntry:
        digest, size = self.contents.content(self.store.verified(stream.sha256, what=what), stream.sha256)
        altered = stream.altered or digest != stream.sha256
        return msgspec.structs.replace(stream, sha256=digest, size=size, altered=altered)

    def _package(self, package: Package) -> Package:
        patch = self._object(package.patch, f"the changes to {package.name}") if package.patch else None
        if not package.vendored or not package.sha256 or package.source == "conda":
            return msgspec.structs.replace(package, patch=patch)
        digest = self._object(package.sha256, f"the wheel {package.file}")
        proof = package.proof if digest == package.sha256 else None
        return msgspec.structs.replace(package, patch=patch, sha256=digest, proof=proof)

    def _claims(self, claims: FileEntry | None) -> FileEntry | None:
        if claims is None or claims.sha256 is None:
            return claims
        return self.contents.entry(claims, self.store.verified(claims.sha256, what="the claims"))

    def _sweeps(self) -> None:
        from envfreeze.sweeps import files

        digest = sha256(self.target)
        for place, sweep in files.of_project(self.store, sha256(self.source)):
            folder = files.folder_of(self.new_store, place.name)
            folder.mkdir(parents=True)
            files.save(msgspec.structs.replace(_texts(sweep, self.names), lock=digest), folder)

    def _taped(self, run: Observation) -> Any:
        """Tapes with stand-ins in what a program was told of user, host and folders."""
        if run.tapes is None or not self.tapes:
            return run.tapes
        folder, _ = taped.find(self.store, run.tapes)
        if folder is None:
            return run.tapes
        entries = []
        contents: dict[str, bytes] = {}
        for entry in msgspec.json.decode((folder / "manifest.json").read_bytes(), type=list[TapeEntry]):
            data = (folder / entry.file).read_bytes()
            contents[entry.file] = self.names.replaced(data) or data
            digest = hashlib.sha256(contents[entry.file]).hexdigest()
            entries.append(msgspec.structs.replace(entry, sha256=digest))
        manifest = json.dumps(msgspec.to_builtins(entries), indent=0).encode()
        digest = hashlib.sha256(manifest).hexdigest()
        target = self.new_store.root / taped.FOLDER / digest
        for name, data in (*contents.items(), ("manifest.json", manifest)):
            write(target / name, data, mode=0o600)
        return msgspec.structs.replace(run.tapes, manifest=digest)


def _is_git(path: str) -> bool:
    return ".git" in PurePosixPath(path).parts


def _masked(network: Sequence[str]) -> tuple[str, ...]:
    """Addresses for documentation (RFC 5737) in place of real ones, with the ports that were asked."""
    hosts = {address: f"198.51.100.{number % 256}" for number, address in enumerate(
        dict.fromkeys(item.rpartition(":")[0] for item in network), 1)}  # fmt: skip
    return tuple(f"{hosts[item.rpartition(':')[0]]}:{item.rpartition(':')[2]}" for item in network)


def _gaps(git_files: int) -> tuple[Gap, ...]:
    why = "left out for anonymous review"
    gaps = [Gap(what="version control", why=why)]
    if git_files:
        gaps.append(Gap(what=f"{git_files} files in .git that the run read", why=why))
    return tuple(gaps)

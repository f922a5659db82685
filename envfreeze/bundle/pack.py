"""``pack``: from locks and their store to one bundle."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

import envfreeze
from envfreeze.bundle import archive
from envfreeze.bundle import artifact as artifacts
from envfreeze.bundle.archive import Member
from envfreeze.bundle.descriptions import Described, describe
from envfreeze.bundle.layout import MANIFEST, POINTER, SUMS, is_plain, key, object_name, recorded
from envfreeze.bundle.texts import JobText, Texts, job_text, texts
from envfreeze.errors import InputError
from envfreeze.files import sha256
from envfreeze.progress import Progress
from envfreeze.records import lockfile
from envfreeze.records.artifact import (
    AllowedSecret,
    Artifact,
    Bundle,
    BundledEnvironment,
    BundledExperiment,
    Experiment,
)
from envfreeze.records.base import Record
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import Recipe
from envfreeze.secrets import Secret, refuse, scan
from envfreeze.store import Store


class Options(Record):
    """What goes into a bundle beside locks, recorded files and original outputs."""

    wheels: bool = False
    """All packages, so that the environment builds without an index."""
    image: bool = False
    """The image as an OCI layout, so that nothing has to be built."""
    data: str | None = None
    """Folder with the data that was recorded by digest only, which then travels along."""
    tapes: bool = False
    """The tapes of randomness and time; whoever has them knows the keys that the run made."""
    allowed: tuple[AllowedSecret, ...] = ()
    """What looks like a secret and is none."""


class Packed(Record):
    """What was packed."""

    path: str
    size: int
    bundle: Bundle
    notes: tuple[str, ...] = ()


class _Environment(NamedTuple):
    folder: str
    recipe: Recipe
    lock: Lock
    store: Store


class Contents:
    """Members by name; a content that is there already becomes a link to its first place."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._places: dict[str, str] = {}
        self._taken: set[str] = set()

    def add(self, member: Member, *, once: bool = True) -> None:
        """Add a member whose ``sha256`` is known; with ``once`` a second copy is a link to the first."""
        if member.name in self._members:
            return
        place = self._places.setdefault(member.sha256, member.name)
        if once and place != member.name:
            target = posixpath.relpath(place, posixpath.dirname(member.name) or ".")
            member = Member(name=member.name, link=target, sha256=member.sha256)
        self._members[member.name] = member
        self._taken.add(key(member.name))

    def add_text(self, name: str, text: str | bytes, *, executable: bool = False) -> None:
        """Add a member that was made here."""
        data = text.encode() if isinstance(text, str) else text
        digest = hashlib.sha256(data).hexdigest()
        self.add(Member(name=name, data=data, sha256=digest, executable=executable), once=False)

    def holds(self, digest: str) -> bool:
        """Whether a content is there already."""
        return digest in self._places

    def is_free(self, name: str) -> bool:
        """Whether a member of this name can be added, on every file system."""
        return is_plain(name) and key(name) not in self._taken

    def secrets(self) -> tuple[Secret, ...]:
        """What looks like a secret in recorded files, outputs and texts; packages are other people's."""
        names = [
            name for name in self._members if not name.endswith((".whl", SUMS)) and "/image/" not in name
        ]
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for number, name in enumerate(names):
                member = self._members[name]
                if member.source is not None:
                    files[name] = member.source
                elif not member.link:
                    files[name] = Path(folder) / str(number)
                    files[name].write_bytes(member.data)
            return scan(files)

    def sizes(self) -> dict[str, tuple[str, int]]:
        """Digest and size in bytes of each member so far, by its name."""
        ordered = sorted(self._members.values(), key=lambda member: member.name)
        return {member.name: (member.sha256, self._size(member)) for member in ordered}

    def _size(self, member: Member) -> int:
        if member.link:
            return self._size(self._members[self._places[member.sha256]])
        return member.source.stat().st_size if member.source else len(member.data)

    def members(self) -> Iterator[Member]:
        """All of them in the order of their names, and last their digests."""
        ordered = sorted(self._members.values(), key=lambda member: member.name)
        sums = "".join(f"{member.sha256}  {member.name}\n" for member in ordered)
        yield from ordered
        yield Member(name=SUMS, data=sums.encode())


def pack(
    lock_path: Path,
    output: Path,
    options: Options,
    *,
    recipe_of: Callable[[Lock], Recipe],
    progress: Progress,
) -> Packed:
    """Write a bundle of the artifact that the lock's folder holds.

    Raises:
        InputError: a lock, or the content that it refers to, is missing or damaged.
        EnvironmentFailure: packages cannot be downloaded, or the engine failed.
        OSError: the bundle cannot be written.
    """
    project = lock_path.parent
    artifact = artifacts.read(project)
    contents = Contents()
    environments: dict[str, _Environment] = {}
    bundled, notes, locks = [], [], {}
    for experiment in artifacts.experiments(artifact, lock_path):
        progress.step(f"gathering {experiment.name}")
        path = project / experiment.lock
        lock, store = lockfile.read(path), Store(path.parent)
        original = sha256(path)
        if options.wheels:
            from envfreeze.bundle.wheels import vendored

            lock = vendored(lock, recipe_of(lock), store, progress=progress)
        locks[experiment.name] = lock
        environment = _environment(lock, recipe_of(lock), store)
        environments.setdefault(environment.folder, environment)
        bundled.append(_experiment(experiment, lock, store, environment, original, options, contents))
        notes += [f"{experiment.name}: {gap.what} was not captured: {gap.why}" for gap in lock.gaps]
    described = tuple(
        _add_environment(environment, options, contents, progress) for environment in environments.values()
    )
    progress.step("looking for secrets")
    allowed = refuse(contents.secrets(), options.allowed, what="the bundle")
    bundle = _describe(artifact, described, tuple(bundled), lock_path)
    bundle = msgspec.structs.replace(bundle, allowed_secrets=allowed)
    _add_texts(texts(bundle, project), contents)
    made, missing = describe(Described(bundle=bundle, locks=locks, members=contents.sizes()))
    notes += missing
    for name, text in made.items():
        contents.add_text(name, text)
    contents.add_text(MANIFEST, json.dumps(msgspec.to_builtins(bundle), indent=2) + "\n")
    progress.step(f"writing {output.name}")
    archive.write(output, contents.members())
    return Packed(path=str(output), size=output.stat().st_size, bundle=bundle, notes=tuple(notes))


def _environment(lock: Lock, recipe: Recipe, store: Store) -> _Environment:
    return _Environment(f"environments/{recipe.environment_id[:12]}", recipe, lock, store)


def _describe(
    artifact: Artifact,
    environments: tuple[BundledEnvironment, ...],
    experiments: tuple[BundledExperiment, ...],
    lock_path: Path,
) -> Bundle:
    return Bundle(
        made_by=f"envfreeze {envfreeze.__version__}",
        title=artifact.title or lock_path.absolute().parent.name,
        authors=artifact.authors,
        description=artifact.description,
        license=artifact.license,
        paper=artifact.paper,
        environments=environments,
        experiments=experiments,
    )


def _experiment(
    experiment: Experiment,
    lock: Lock,
    store: Store,
    environment: _Environment,
    original: str,
    options: Options,
    contents: Contents,
) -> BundledExperiment:
    run = lock.run
    if run is None:
        raise InputError(
            f"the lock of {experiment.name} records an environment and no run.",
            hint="Freeze a command: envfreeze freeze -- python train.py",
        )
    folder = f"experiments/{experiment.name}"
    files = store.entries(run.files, what="recorded files")
    outputs = store.entries(run.outputs, what="original outputs")
    files, elsewhere = _with_data(files, store, options.data)
    if options.data:
        # Its content travels along, so that it need not be mounted from anywhere.
        run = msgspec.structs.replace(run, files=store.add_set(files))
        lock = msgspec.structs.replace(lock, run=run)
    for entries, is_output in ((files, False), (outputs, True)):
        for entry in entries:
            _add_entry(entry, experiment.name, store, contents, output=is_output)
    for name, stream in (("stdout", run.stdout), ("stderr", run.stderr)):
        _add_object(f"{folder}/{name}", stream.sha256, store, contents, what=f"the original {name}")
    for digest, what in _further(lock):
        if not contents.holds(digest):
            _add_object(object_name(digest), digest, store, contents, what=what)
    tapes = _add_tapes(lock, store, folder, contents) if options.tapes else False
    contents.add_text(f"{folder}/envfreeze.lock", lockfile.dumps(lock))
    contents.add_text(f"{folder}/{POINTER}", "../..\n")
    contents.add_text(f"{folder}/job.sh", job_text(_job(lock, files)))
    return BundledExperiment(
        name=experiment.name,
        folder=folder,
        environment=environment.folder,
        title=experiment.title,
        command=run.command,
        minimal=experiment.minimal,
        original_lock=original,
        duration=run.duration,
        peak_memory=run.peak_memory,
        expected_time=experiment.expected_time,
        files=len(files),
        outputs=len(outputs),
        elsewhere=elsewhere,
        claims=_add_claims(experiment, store.root.parent, folder, contents),
        tapes=tapes,
    )


def _job(lock: Lock, files: Sequence[FileEntry]) -> JobText:
    """How a shell starts the experiment: as a replay does, without what only envfreeze can do."""
    from envfreeze.determinism import settings
    from envfreeze.recipe.command import portable
    from envfreeze.recipe.variables import for_image

    assert lock.run is not None
    run = lock.run
    without_tapes = msgspec.structs.replace(lock, run=msgspec.structs.replace(run, tapes=None))
    switches = {item.variable: item.value for item in settings(without_tapes) if item.kind == "variable"}
    return JobText(
        command=portable(run.command),
        directory=run.directory,
        project=run.project,
        environment=switches | for_image(run.environment),
        outside=tuple(entry.path for entry in files if entry.path.startswith("/") and entry.sha256),
        folders=run.folders,
    )


def _with_data(
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
    path = _located(entry, store)
    contents.add(Member(name=name, source=path, sha256=entry.sha256, executable=entry.executable, what=what))


def _located(entry: FileEntry, store: Store) -> Path:
    """Where the content lies: in the store, or in the project when only the lock was committed."""
    digest = str(entry.sha256)
    here = store.root.parent / entry.path
    if digest not in store and here.is_file() and sha256(here) == digest:
        return here
    return _object(digest, store, entry.path)


def _object(digest: str, store: Store, what: str) -> Path:
    if digest not in store:
        raise InputError(
            f"{what} is missing from the store: no {store.path(digest)}.",
            hint="Copy .envfreeze/ together with envfreeze.lock, or freeze again.",
        )
    return store.path(digest)


def _add_object(name: str, digest: str, store: Store, contents: Contents, *, what: str) -> None:
    contents.add(Member(name=name, source=_object(digest, store, what), sha256=digest, what=what))


def _further(lock: Lock) -> Iterator[tuple[str, str]]:
    """What else a lock refers to in the store."""
    assert lock.run is not None
    for files, what in ((lock.run.files, "recorded files"), (lock.run.outputs, "original outputs")):
        if files.manifest:
            yield files.manifest, f"the list of {what}"
    if lock.run.process_tree:
        yield lock.run.process_tree, "the list of programs"
    if lock.git and lock.git.diff:
        yield lock.git.diff, "the uncommitted changes"
    for package in lock.packages:
        if package.patch:
            yield package.patch, f"the changes to {package.name}"


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


def _add_claims(experiment: Experiment, project: Path, folder: str, contents: Contents) -> bool:
    path = project / (experiment.claims or "claims.yaml")
    if not path.is_file():
        if experiment.claims:
            raise InputError(f"{path}: the claims of {experiment.name} are not there.")
        return False
    contents.add_text(f"{folder}/claims.yaml", path.read_bytes())
    return True


def _add_environment(
    environment: _Environment, options: Options, contents: Contents, progress: Progress
) -> BundledEnvironment:
    """The Dockerfile, what it copies, and the image."""
    from envfreeze.recipe.context import write_context

    folder, recipe, _, store = environment
    with store.temporary() as temporary:
        context = temporary / "context"
        context.mkdir()
        write_context(recipe, store, context, buildkit=False)
        wheels = {wheel.file: wheel.sha256 for wheel in recipe.wheels}
        for path in sorted(context.rglob("*")):
            name = f"{folder}/{path.relative_to(context)}"
            if path.is_file() and path.name not in wheels:
                contents.add_text(name, path.read_bytes())
            elif path.is_file():
                digest = wheels[path.name]
                place = store.path(digest)
                contents.add(Member(name=name, source=place, sha256=digest, what=f"the wheel {path.name}"))
    if options.image:
        from envfreeze.bundle.image import image_members

        for member in image_members(recipe, store, f"{folder}/image", progress=progress):
            contents.add(member)
    offline = not recipe.build_tools and "--no-index" in recipe.requirements.splitlines()
    return BundledEnvironment(
        folder=folder,
        environment_id=recipe.environment_id,
        python=recipe.python,
        image=options.image,
        offline=offline or not environment.lock.packages,
    )


def _add_texts(made: Texts, contents: Contents) -> None:
    for name, text in made.plain.items():
        contents.add_text(name, text)
    for name, text in made.executable.items():
        contents.add_text(name, text, executable=True)


def default_name(lock_path: Path) -> Path:
    """``<folder>.envfreeze.zip`` in the current folder."""
    stem = "".join(
        char if char.isalnum() or char in "._-" else "-" for char in lock_path.absolute().parent.name
    )
    return Path(os.curdir) / f"{stem or 'paper'}.envfreeze.zip"

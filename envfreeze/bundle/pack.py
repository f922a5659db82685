"""``pack``: from locks and their store to one bundle."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

import envfreeze
from envfreeze.bundle import archive, checklists
from envfreeze.bundle import artifact as artifacts
from envfreeze.bundle.archive import Member
from envfreeze.bundle.contents import Contents
from envfreeze.bundle.descriptions import Described, Run, describe, run_of
from envfreeze.bundle.environments import united
from envfreeze.bundle.experiment import add_experiment
from envfreeze.bundle.layout import MANIFEST
from envfreeze.bundle.options import Options
from envfreeze.bundle.signing import signing_with
from envfreeze.bundle.texts import Texts, texts
from envfreeze.files import sha256
from envfreeze.progress import Progress
from envfreeze.records import lockfile
from envfreeze.records.artifact import (
    Artifact,
    Bundle,
    BundledEnvironment,
    BundledExperiment,
    Experiment,
)
from envfreeze.records.base import Record
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import Recipe
from envfreeze.secrets import refuse
from envfreeze.store import Store

_TEXT = 1 << 20
"""Bytes; larger files of a build context are not held in memory."""


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
    with Store(lock_path.parent).temporary() as scratch:
        return _packed(lock_path, output, options, scratch, recipe_of, progress)


def _packed(
    lock_path: Path,
    output: Path,
    options: Options,
    scratch: Path,
    recipe_of: Callable[[Lock], Recipe],
    progress: Progress,
) -> Packed:
    """``pack``, with a folder for what is there only until the archive is written."""
    project = lock_path.parent
    sign = signing_with(Path(options.sign)) if options.sign is not None else None
    wanted = [checklists.find(name) for name in options.checklists]
    artifact = artifacts.read(project)
    contents = Contents()
    environments: dict[str, _Environment] = {}
    bundled: list[BundledExperiment] = []
    notes: list[str] = []
    locks: dict[str, Lock] = {}
    runs: dict[str, Run] = {}
    experiments = artifacts.with_minimal(artifacts.experiments(artifact, lock_path), options.minimal)
    reports = _reports(experiments, project)
    hidden = None
    if options.anonymous:
        from envfreeze.bundle.hiding import hide

        hidden = hide(project, artifact, experiments, reports, options, output, scratch, progress)
        project, lock_path = hidden.copy.folder, hidden.copy.folder / hidden.copy.experiments[0].lock
        artifact, experiments, reports = hidden.copy.artifact, hidden.copy.experiments, hidden.copy.reports
        notes += hidden.notes
        options = msgspec.structs.replace(options, data=None)
    read = {one.name: (lockfile.read(project / one.lock), (project / one.lock).parent) for one in experiments}
    found = united(read, recipe_of)
    made = {experiment.name: _outputs(project / experiment.lock) for experiment in experiments}
    for experiment in experiments:
        progress.step(f"gathering {experiment.name}")
        path = project / experiment.lock
        lock, store = found[experiment.name], Store(path.parent)
        original = sha256(path)
        if options.wheels:
            from envfreeze.bundle.wheels import vendored

            lock = vendored(lock, recipe_of(lock), store, progress=progress)
        locks[experiment.name] = lock
        runs[experiment.name] = run_of(lock, store)
        environment = _environment(lock, recipe_of(lock), store)
        environments.setdefault(environment.folder, environment)
        bundled.append(
            add_experiment(
                experiment,
                lock,
                store,
                environment.folder,
                original,
                options,
                contents,
                others=tuple(paths for name, paths in made.items() if name != experiment.name),
            )
        )
        notes += [f"{experiment.name}: {gap.what} was not captured: {gap.why}" for gap in lock.gaps]
    described = tuple(
        _add_environment(environment, options, contents, scratch, progress)
        for environment in environments.values()
    )
    for checklist in wanted:
        _add_checklist(checklist, lock_path, contents)
    for name, page in reports.items():
        contents.add_text(f"experiments/{name}/report.html", page)
    progress.step("looking for secrets")
    allowed = refuse(contents.secrets(), options.allowed, what="the bundle")
    bundle = _describe(artifact, described, tuple(bundled), lock_path)
    bundle = msgspec.structs.replace(
        bundle, allowed_secrets=allowed, anonymity=hidden.copy.anonymity if hidden else None
    )
    _add_texts(texts(bundle, project), contents)
    members = contents.sizes()
    texts_by_name, missing = describe(Described(bundle=bundle, locks=locks, members=members, runs=runs))
    notes += missing
    for name, text in texts_by_name.items():
        contents.add_text(name, text)
    contents.add_text(MANIFEST, json.dumps(msgspec.to_builtins(bundle), indent=2) + "\n")
    progress.step(f"writing {output.name}")
    if hidden is None:
        archive.write(output, contents.members(sign))
    else:
        notes += hidden.write(output, contents.members(), locks.values())
    return Packed(path=str(output), size=output.stat().st_size, bundle=bundle, notes=tuple(notes))


def _outputs(path: Path) -> frozenset[str]:
    """Paths of what an experiment made."""
    run = lockfile.read(path).run
    if run is None:
        return frozenset()
    entries = Store(path.parent).entries(run.outputs, what="original outputs")
    return frozenset(entry.path for entry in entries)


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


def _add_environment(
    environment: _Environment, options: Options, contents: Contents, scratch: Path, progress: Progress
) -> BundledEnvironment:
    """The Dockerfile, what it copies, and the image."""
    from envfreeze.recipe.context import write_context

    folder, recipe, _, store = environment
    context = scratch / "contexts" / recipe.environment_id
    context.mkdir(parents=True)
    write_context(recipe, store, context, buildkit=False)
    wheels = {wheel.file: wheel.sha256 for wheel in recipe.wheels}
    for path in sorted(context.rglob("*")):
        name = f"{folder}/{path.relative_to(context)}"
        if not path.is_file():
            continue
        digest = wheels.get(path.name)
        if digest is None and path.stat().st_size <= _TEXT:
            contents.add_text(name, path.read_bytes())
        else:
            digest = digest or sha256(path)
            contents.add(Member(name=name, source=path, sha256=digest, what=path.name))
    if options.image:
        from envfreeze.bundle.image import image_members

        saved = scratch / "images" / recipe.environment_id
        for member in image_members(recipe, store, f"{folder}/image", saved, progress=progress):
            contents.add(member)
    offline = not recipe.build_tools and "--no-index" in recipe.requirements.splitlines()
    return BundledEnvironment(
        folder=folder,
        environment_id=recipe.environment_id,
        python=recipe.python,
        image=options.image,
        offline=offline or not environment.lock.packages,
    )


def _add_checklist(checklist: checklists.Checklist, lock_path: Path, contents: Contents) -> None:
    from envfreeze.bundle.checklists import _facts, _render

    artifact, frozen = _facts.gather(lock_path)
    filled = checklists.answered(checklist, _facts.facts(artifact, frozen), _facts.gaps(frozen))
    contents.add_text(f"checklists/{checklist.name}.md", _render.markdown(filled))
    contents.add_text(f"checklists/{checklist.name}.tex", _render.latex(filled))


def _reports(experiments: Sequence[Experiment], project: Path) -> dict[str, bytes]:
    """The report on the newest replay of each experiment: the author's own evidence that it can be done."""
    from envfreeze.report.assemble import newest_of, report_on_run
    from envfreeze.report.html import render

    newest = {experiment.name: newest_of(project / experiment.lock) for experiment in experiments}
    return {name: render(report_on_run(folder)).encode() for name, folder in newest.items() if folder}


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

"""``artifact.yaml``: what an author says of a paper's artifact, and the experiments that belong to it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import yaml

from envfreeze import files
from envfreeze.errors import InputError
from envfreeze.records import lockfile
from envfreeze.records.artifact import Artifact, Experiment

NAME = "artifact.yaml"
_MAX = 1 << 20
_HEADER = """\
# The paper's artifact, for: envfreeze pack. Yours to edit.
"""


def read(project: Path) -> Artifact:
    """What ``artifact.yaml`` says; without one, an artifact with the project's one lock.

    Raises:
        InputError: it is not readable; the sentence names the line and the field.
    """
    path = project / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Artifact()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None
    return _converted(_load(text, path), path)


def _converted(content: Any, path: Path) -> Artifact:
    """The record of a parsed file.

    Raises:
        InputError: a field is unknown or has another type than it should.
    """
    try:
        return msgspec.convert(content or {}, Artifact)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at ")
        field = where.strip("`").removeprefix("$").lstrip(".")
        place = f", {field}" if field else ""
        raise InputError(f"{path}{place}: {problem[:1].lower() + problem[1:]}.") from None


def _load(text: str, path: Path) -> Any:
    if len(text) > _MAX:
        raise InputError(f"{path} is larger than any artifact.yaml is.")
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = f" line {event.start_mark.line + 1}" if event.start_mark else ""
                raise InputError(f"{path}{line}: aliases (*) are not allowed here.")
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path}{line}: {error.problem or 'no YAML'}.") from None
    except (yaml.YAMLError, RecursionError):
        raise InputError(f"{path} is no YAML.") from None


def write(artifact: Artifact, project: Path) -> None:
    """Write ``artifact.yaml``; comments of the author's are not kept.

    Raises:
        OSError: the folder cannot be written.
    """
    content = msgspec.to_builtins(artifact)
    text = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    files.write(project / NAME, (_HEADER + text).encode())


def add(lock_path: Path, experiment: Experiment) -> Path:
    """Take a lock into the artifact under a name of its own; returns the path of its lockfile.

    ``envfreeze.lock`` is copied to ``envfreeze.NAME.lock``, so that the next freeze does not replace it.

    Raises:
        InputError: the lock records no run, or another experiment has the name.
    """
    project = lock_path.parent
    if lockfile.read(lock_path).run is None:
        raise InputError(
            f"{lock_path} records no run, so that it is no experiment.", hint="Freeze a command."
        )
    artifact = read(project)
    if any(known.name == experiment.name for known in artifact.experiments):
        raise InputError(
            f"{project / NAME} has an experiment {experiment.name!r} already.", hint="Take another name."
        )
    target = lock_path
    if lock_path.name == lockfile.NAME:
        target = project / f"envfreeze.{experiment.name}.lock"
        if target.exists():
            raise InputError(f"{target} is there already.", hint="Take another name, or move it away.")
        with lock_path.open("rb") as stream, files.replacing(target) as copy:
            shutil.copyfileobj(stream, copy)
    experiment = msgspec.structs.replace(experiment, lock=target.name)
    write(msgspec.structs.replace(artifact, experiments=(*artifact.experiments, experiment)), project)
    return target


def experiments(artifact: Artifact, lock_path: Path) -> tuple[Experiment, ...]:
    """The experiments of an artifact: those that it lists, else the one lock."""
    return artifact.experiments or (Experiment(name="main", lock=lock_path.name),)


def with_minimal(listed: tuple[Experiment, ...], minimal: tuple[str, ...]) -> tuple[Experiment, ...]:
    """The one experiment with a short run.

    Raises:
        InputError: there are several.
    """
    if not minimal:
        return listed
    if len(listed) != 1:
        names = ", ".join(experiment.name for experiment in listed)
        raise InputError(
            f"there are several experiments ({names}), so that --minimal does not say whose short run it is.",
            hint=f"Write each one's `minimal` into {NAME}.",
        )
    return (msgspec.structs.replace(listed[0], minimal=minimal),)

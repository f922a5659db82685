"""Environments of the local engine: made once for each recipe, below ``.envfreeze/environments``.

Invariant: a folder with the stamp ``envfreeze.json`` is whole. The stamp is written last, and names the path
that the environment was made at, since scripts in it hold that path. Anything else is made anew, and so is
what came with a copy of somebody's ``.envfreeze``: a seal in this user's cache says which stamps are ours.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from envfreeze.engines import _local_conda
from envfreeze.engines._local_install import install
from envfreeze.engines._local_interpreters import Python, find
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.files import user_cache, write
from envfreeze.progress import Progress
from envfreeze.records.base import Record, Sha256
from envfreeze.records.recipe import Recipe
from envfreeze.store import Store

STAMP = "envfreeze.json"


class Environment(Record):
    """What the stamp says."""

    path: str
    environment_id: Sha256
    python: Python
    installer: str
    conda: bool = False
    """True for a conda environment, which has an interpreter of its own."""
    notes: tuple[str, ...] = ()

    @property
    def programs(self) -> Path:
        return Path(self.path) / "bin"


def prepare(
    recipe: Recipe, store: Store, *, progress: Progress, force: bool = False
) -> tuple[Environment, bool]:
    """The environment of a recipe, and whether it had to be made.

    Raises:
        InputError: the recipe cannot be installed as written.
        EnvironmentFailure: no interpreter, network or disk; nothing half-made is left.
    """
    path = store.root.absolute() / "environments" / recipe.environment_id[:16]
    try:
        with _alone(path, progress):
            found = None if force else load(path)
            if found is not None and _as_good_as_it_gets(found, recipe):
                return found, False
            return _make(recipe, path, store, progress), True
    except OSError as error:
        raise failure("the environment cannot be made", error, path) from error


def failure(what: str, error: OSError, path: Path) -> EnvironmentFailure:
    """The sentence for a disk that failed, with what to do about it; ``path`` if the error names none."""
    hints = {
        errno.ENOSPC: "Free some space and try again.",
        errno.EDQUOT: "Free some space and try again.",
        errno.EROFS: "Work in a copy of the folder that you can write to.",
        errno.EACCES: "Work in a copy of the folder that you can write to.",
    }
    sentence = f"{what}: {error.filename or path}: {error.strerror}."
    return EnvironmentFailure(sentence, hint=hints.get(error.errno or 0))


def load(path: Path) -> Environment | None:
    """The finished environment at ``path``, if there is one that still works."""
    try:
        stamp = (path / STAMP).read_bytes()
        if _seal(path).read_text() != hashlib.sha256(stamp).hexdigest():
            return None
        found = msgspec.json.decode(stamp, type=Environment)
    except (OSError, msgspec.MsgspecError):
        return None
    usable = found.path == str(path) and os.access(found.programs / "python", os.X_OK)
    return found if usable else None


def _seal(path: Path) -> Path:
    """Where it is kept that this user made the environment at ``path``."""
    return user_cache() / "environments" / hashlib.sha256(os.fsencode(path)).hexdigest()


def _as_good_as_it_gets(found: Environment, recipe: Recipe) -> bool:
    """False when the exact interpreter was installed since a near one had to do."""
    if found.environment_id != recipe.environment_id:
        return False
    if recipe.conda is not None:
        return True
    return found.python.version == recipe.python or _interpreter(recipe).version != recipe.python


def _interpreter(recipe: Recipe) -> Python:
    return find(recipe.python, "PyPy" if recipe.base.reference.startswith("pypy:") else "CPython")


def _make(recipe: Recipe, path: Path, store: Store, progress: Progress) -> Environment:
    python = None if recipe.conda else _interpreter(recipe)
    notes: tuple[str, ...] = ()
    if python and python.version != recipe.python:
        notes = (f"Python {python.version} instead of {recipe.python}",)
        progress.warn(notes[0])
    progress.step("making the environment")
    try:
        # Outside of the project, whose own pyproject.toml or uv.toml would be taken for configuration.
        with tempfile.TemporaryDirectory(prefix="envfreeze-") as context:
            write_requirements(recipe, store, Path(context))
            if python is None:
                assert recipe.conda is not None
                python, installer, notes = _local_conda.install(
                    recipe.conda, path, Path(context), store, progress=progress
                )
            else:
                installer = install(python, path, Path(context), progress=progress)
        made = Environment(
            path=str(path),
            environment_id=recipe.environment_id,
            python=python,
            installer=installer,
            conda=recipe.conda is not None,
            notes=notes,
        )
        stamp = msgspec.json.encode(made)
        write(path / STAMP, stamp)
        write(_seal(path), hashlib.sha256(stamp).hexdigest().encode())
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return made


def write_requirements(recipe: Recipe, store: Store, folder: Path) -> None:
    """``requirements.txt`` and beside it ``wheels/``, whose links lead to checked contents of the store.

    Raises:
        InputError: a vendored file is missing, damaged, or named so that it would lie elsewhere.
    """
    (folder / "requirements.txt").write_text(recipe.requirements)
    (folder / "wheels").mkdir()
    for wheel in recipe.wheels:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+!-]*", wheel.file):
            raise InputError(f"{wheel.file!r} is no file name of a package.")
        content = store.verified(wheel.sha256, what=f"the package {wheel.file}")
        (folder / "wheels" / wheel.file).symlink_to(content.absolute())


@contextlib.contextmanager
def _alone(path: Path, progress: Progress) -> Iterator[None]:
    """Two builds of the same environment come one after the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.step("waiting for another envfreeze that makes this environment")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield

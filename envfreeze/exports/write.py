"""Exports on disk: the files and the wheels that they name, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from envfreeze import files
from envfreeze.errors import InputError
from envfreeze.exports import exports, render
from envfreeze.exports._files import MADE_BY
from envfreeze.recipe.context import BUILD
from envfreeze.recipe.requirements import LEFT_OUT
from envfreeze.records.lock import Lock
from envfreeze.store import Store


def export_lock(
    lock: Lock, project: Path, *, to: str, output: Path | str | None
) -> tuple[tuple[str, str], ...]:
    """Write a lock in another format; see ``workflow.export``.

    Raises:
        InputError: the format cannot hold it, a file of somebody else's lies there, or a wheel is missing.
        OSError: the folder cannot be written.
    """
    if output is None:
        texts = render(to, lock, _wheels(project, project))
        if len(texts) > 1:
            names = ", ".join(texts)
            raise InputError(f"{to} has several files ({names}).", hint="Give a folder: -o frozen/")
        _lay_out_wheels(lock, project, project)
        return tuple(texts.items())
    place = Path(output)
    is_folder = _has_several(to) or place.is_dir() or str(output).endswith("/")
    folder = place if is_folder else place.parent
    texts = render(to, lock, _wheels(project, folder))
    targets = {(folder / name if is_folder else place): text for name, text in texts.items()}
    for path in targets:
        _refuse_unless_ours(path)
    _lay_out_wheels(lock, project, folder)
    for path, text in targets.items():
        files.write(path, text.encode())
    return tuple((str(path), text) for path, text in targets.items())


def _wheels(project: Path, folder: Path) -> str:
    """Where the vendored wheels of an export in ``folder`` lie, relative to it.

    In the project itself it is the folder that the Dockerfile copies too.
    """
    return f"{BUILD}/wheels" if folder.resolve() == project.resolve() else "wheels"


def _lay_out_wheels(lock: Lock, project: Path, folder: Path) -> None:
    """Copy the vendored wheels from the store to where an export in ``folder`` names them."""
    store = Store(project)
    for package in lock.packages:
        if not (package.vendored and package.file and package.sha256) or package.name in LEFT_OUT:
            continue
        source = store.verified(package.sha256, what=f"the wheel {package.file}")
        target = folder / _wheels(project, folder) / Path(package.file).name
        if target.is_file() and files.sha256(target) == package.sha256:
            continue
        with source.open("rb") as stream, files.replacing(target) as copy:
            shutil.copyfileobj(stream, copy, files.CHUNK)


def _refuse_unless_ours(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder, where a file has to be written.")
    if path.exists() and not path.read_bytes().startswith(f"# {MADE_BY}".encode()):
        raise InputError(
            f"{path} is there already, and envfreeze did not make it.", hint="Choose another name with -o."
        )


def _has_several(name: str) -> bool:
    known = exports().get(name)
    return known is not None and len(known.files) > 1

"""Exports on disk: the files and the wheels that they name, whole or not at all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from envfreeze import files
from envfreeze.errors import InputError
from envfreeze.exports import Export, exports, render
from envfreeze.exports._files import MADE_BY
from envfreeze.recipe.context import BUILD, write_project
from envfreeze.recipe.requirements import LEFT_OUT
from envfreeze.records.files import FileEntry
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
        if _is_layout(exports()[to]):
            names = ", ".join(texts)
            raise InputError(f"{to} has several files ({names}).", hint="Give a folder: -o frozen/")
        _lay_out_wheels(lock, project, project)
        return tuple(texts.items())
    place = Path(output)
    export = exports().get(to)
    is_folder = (export is not None and _is_layout(export)) or place.is_dir() or str(output).endswith("/")
    folder = place if is_folder else place.parent
    texts = render(to, lock, _wheels(project, folder))
    targets = {(folder / name if is_folder else place): text for name, text in texts.items()}
    assert export is not None  # render refuses other names
    _refuse_unless_ours(targets, {folder / name for name in export.unmarked})
    store = Store(project)
    code = _code(lock, store, folder / export.code) if export.code is not None else {}
    if export.context is not None:
        from envfreeze.recipe import recipe_of

        (folder / export.context).mkdir(parents=True, exist_ok=True)
        write_project(recipe_of(lock), store, folder / export.context)
    else:
        _lay_out_wheels(lock, project, folder)
    for path, entry in code.items():
        source = store.verified(str(entry.sha256), what=entry.path)
        with source.open("rb") as stream, files.replacing(path, mode=_mode(entry.executable)) as copy:
            shutil.copyfileobj(stream, copy, files.CHUNK)
    for path, text in targets.items():
        files.write(path, text.encode(), mode=_mode(text.startswith("#!")))
    return tuple((str(path), text) for path, text in targets.items())


def _mode(executable: bool) -> int:
    return 0o755 if executable else 0o644


def _code(lock: Lock, store: Store, folder: Path) -> dict[Path, FileEntry]:
    """The project's recorded files and where they go, without links and data that is known by digest only.

    Raises:
        InputError: a file of other content lies there.
    """
    entries = store.entries(lock.run.files, what="the list of the run's files") if lock.run else ()
    wanted = {
        folder / entry.path: entry
        for entry in entries
        if entry.sha256 and entry.origin is None and not entry.path.startswith("/")
    }
    missing = {}
    for path, entry in wanted.items():
        if not path.exists() and not path.is_symlink():
            missing[path] = entry
        elif not path.is_file() or files.sha256(path) != entry.sha256:
            raise InputError(
                f"{path} is there already, and is not the file that was recorded.",
                hint="Export to another folder with -o.",
            )
    return missing


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


def _refuse_unless_ours(targets: Mapping[Path, str], unmarked: AbstractSet[Path]) -> None:
    """A file may be written where nothing is, or what envfreeze wrote, which its first lines say.

    One that cannot say it is ours when it would not change, or when another file of the export is.

    Raises:
        InputError: somebody else's file is there.
    """
    ours = any(_is_marked(path) for path in targets)
    for path, text in targets.items():
        if path.is_dir():
            raise InputError(f"{path} is a folder, where a file has to be written.")
        if not path.exists() or _is_marked(path):
            continue
        if path in unmarked and (ours or path.read_bytes() == text.encode()):
            continue
        raise InputError(
            f"{path} is there already, and envfreeze did not make it.", hint="Choose another place with -o."
        )


def _is_marked(path: Path) -> bool:
    """True when the first line, or the one behind a shell's, says that envfreeze made the file."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        head = [stream.readline(200), stream.readline(200)]
    return any(re.match(rb"(#|//) " + re.escape(MADE_BY.encode()), line) for line in head)


def _is_layout(export: Export) -> bool:
    """True when a folder is written, and not one file of any name."""
    return len(export.files) > 1 or export.context is not None

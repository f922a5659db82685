"""Build contexts: a Dockerfile and the folder that it copies, for an engine or in the project for people."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from envfreeze import files
from envfreeze.recipe import system_files
from envfreeze.recipe._conda import packages_text
from envfreeze.recipe.render import MARK
from envfreeze.records.recipe import CondaRecipe, Recipe
from envfreeze.resources import resource
from envfreeze.store import FOLDER, Store

BUILD = f"{FOLDER}/build"
"""What the Dockerfile copies, relative to the context."""

_DOCKERIGNORE = f"""\
{MARK} The image needs nothing else, so nothing else is sent to the builder.
*
!{BUILD}
"""


def write_context(recipe: Recipe, store: Store, folder: Path, *, buildkit: bool) -> None:
    """Fill an empty folder with all that a builder needs.

    Raises:
        InputError: a vendored wheel is missing from the store or damaged there.
        OSError: the folder cannot be written.
    """
    dockerfile = recipe.dockerfile_buildkit if buildkit else recipe.dockerfile
    (folder / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    build = folder / BUILD
    build.mkdir(parents=True)
    (build / "requirements.txt").write_text(recipe.requirements, encoding="utf-8")
    for wheel in recipe.wheels:
        (build / "wheels").mkdir(exist_ok=True)
        source = store.verified(wheel.sha256, what=f"the wheel {wheel.file}")
        try:
            os.link(source, build / "wheels" / wheel.file)
        except OSError:
            shutil.copyfile(source, build / "wheels" / wheel.file)
    system_files.write(recipe.files, store, build)
    if recipe.conda is not None:
        write_conda(recipe.conda, store, build / "conda")


def write_project(recipe: Recipe, store: Store, project: Path) -> Path:
    """Write the Dockerfile and ``.envfreeze/build/`` into the project; the same recipe gives the same bytes.

    Returns:
        Path of the Dockerfile: ``Dockerfile``, or ``Dockerfile.envfreeze`` beside one of the user's own.

    Raises:
        InputError: a vendored wheel is missing from the store or damaged there.
        OSError: the project cannot be written.
    """
    build = project / BUILD
    wheels = {
        wheel.file: store.verified(wheel.sha256, what=f"the wheel {wheel.file}") for wheel in recipe.wheels
    }
    files.write(build / "requirements.txt", recipe.requirements.encode())
    _lay_out(wheels, build / "wheels")
    system_files.write(recipe.files, store, build)
    if recipe.conda is not None:
        write_conda(recipe.conda, store, build / "conda")
    else:
        shutil.rmtree(build / "conda", ignore_errors=True)
    path = project / "Dockerfile"
    text = recipe.dockerfile
    if _is_ours(path):
        if _is_ours(project / ".dockerignore"):
            files.write(project / ".dockerignore", _DOCKERIGNORE.encode())
    else:
        path = project / "Dockerfile.envfreeze"
        text = text.replace("docker build -t", f"docker build -f {path.name} -t", 1)
    files.write(path, text.encode())
    return path


def write_conda(conda: CondaRecipe, store: Store, folder: Path) -> None:
    """Write what links the conda packages, and beside it the archives that nobody else has.

    Raises:
        InputError: one of those is missing from the store or damaged there.
        OSError: the folder cannot be written.
    """
    archives = {
        package.file: store.verified(str(package.sha256), what=f"the conda package {package.file}")
        for package in conda.packages
        if not package.url
    }
    files.write(folder / "packages.txt", packages_text(conda).encode())
    files.write(folder / "tool.txt", conda.tool.encode())
    files.write(folder / "install.py", resource("templates/conda/install.py").read_bytes())
    _lay_out(archives, folder / "packages")


def _lay_out(wheels: dict[str, Path], folder: Path) -> None:
    """Make the folder hold these files and no others."""
    stale = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    for name, source in wheels.items():
        stale.pop(name, None)
        target = folder / name
        if target.is_file() and files.sha256(target) == files.sha256(source):
            continue
        with source.open("rb") as stream, files.replacing(target) as copy:
            shutil.copyfileobj(stream, copy, files.CHUNK)
    for path in stale.values():
        if path.is_file():
            path.unlink()
    if folder.is_dir() and not wheels:
        folder.rmdir()


def _is_ours(path: Path) -> bool:
    """True when nothing is there, or a file whose first line says that envfreeze made it."""
    if not path.exists() and not path.is_symlink():
        return True
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.readline(200).startswith(MARK.encode())

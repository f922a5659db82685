"""What an environment of a bundle needs from elsewhere, by engine: the network, or this machine."""

from __future__ import annotations

import functools
import glob
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.records.artifact import BundledEnvironment, Finding
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import Recipe

CONTAINERS, LOCAL = "docker", "local"
"""``docker`` stands for all engines with images: they need the same."""
_SHOWN = 6


def of_environment(environment: BundledEnvironment, lock: Lock, engines: Iterable[str]) -> Iterator[Finding]:
    """What each engine needs for it, or that it needs nothing.

    Args:
        lock: of an experiment that runs in it.
        engines: those that are asked about.
    """
    from envfreeze.recipe import recipe_of

    try:
        recipe = recipe_of(lock)
    except InputError as error:
        yield Finding(level="missing", what=f"{environment.folder}: packages", why=str(error))
        return
    for engine in engines:
        needs = _containers if engine == CONTAINERS else _local
        found = tuple(needs(environment, lock, recipe))
        place = f"engine {engine}, {environment.folder}"
        if not found:
            how = "the image travels along" if environment.image and engine == CONTAINERS else _here(lock)
            yield Finding(level="ok", what=f"{place}: {how}")
        for what, why in found:
            yield Finding(level="missing", what=f"{place}: {what}", why=why)


_Needs = Iterator[tuple[str, str]]


def _containers(environment: BundledEnvironment, lock: Lock, recipe: Recipe) -> _Needs:
    from envfreeze.recipe.system_packages import BUILD_TOOLS, missing_from

    if environment.image:
        return
    why = "it comes from a registry; pack --with-image brings the whole image"
    yield f"the base image {recipe.base.reference}", why
    if recipe.base.cuda is not None:
        yield f"the image {recipe.base.cuda.reference}", why
    names = [package.name for package in missing_from(recipe.base, lock.system).packages]
    if recipe.build_tools:
        names += BUILD_TOOLS["musl" if "alpine" in recipe.base.reference else "glibc"]
    if names:
        why = "they come from the distribution's mirrors; pack --with-image brings the whole image"
        yield f"packages of the system ({_some(names)})", why
    yield from _packages(lock, recipe)


def _local(environment: BundledEnvironment, lock: Lock, recipe: Recipe) -> _Needs:
    from envfreeze.engines._local_interpreters import find

    python = lock.interpreter
    if recipe.conda is None:
        try:
            find(python.version, python.implementation)
        except EnvironmentFailure as error:
            yield (
                f"{python.implementation} {python.version}",
                f"{error} {error.hint or ''}".strip().rstrip("."),
            )
    absent = [
        package.name
        for package in lock.system.packages
        if package.libraries and not any(_is_here(Path(library)) for library in package.libraries)
    ]
    if absent:
        why = "this machine does not have them where the run found them"
        yield f"libraries of the system ({_some(absent)})", why
    if recipe.build_tools:
        names = _some(recipe.build_tools)
        yield "a compiler", f"{names} are built from source; pack --with-image and docker need none"
    yield from _packages(lock, recipe)


def _is_here(library: Path) -> bool:
    """Whether this machine has the library, in any build: at its place, or where the loader looks."""
    stem = library.name.partition(".so")[0] + ".so"
    if library.exists() or any(library.parent.glob(f"{glob.escape(stem)}*")):
        return True
    return any(name.startswith(stem) for name in _known_to_the_loader())


@functools.cache
def _known_to_the_loader() -> tuple[str, ...]:
    """Names of libraries, by ldconfig(8)."""
    tool = shutil.which("ldconfig") or "/sbin/ldconfig"
    try:
        done = subprocess.run([tool, "-p"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(line.split()[0] for line in done.stdout.splitlines()[1:] if line.split())


def _packages(lock: Lock, recipe: Recipe) -> _Needs:
    vendored = {wheel.sha256 for wheel in recipe.wheels}
    names = [
        package.name
        for package in lock.packages
        if package.sha256 not in vendored and package.source != "conda" and package.name in _wanted(recipe)
    ]
    if names:
        yield f"packages ({_some(names)})", "they come from their indexes; pack --with-wheels brings them"
    if recipe.conda is not None:
        files = [package.file for package in recipe.conda.packages if package.url]
        if files:
            why = "they come from their channels; pack --with-image brings the whole image"
            yield f"conda packages ({_some(files)})", why
        yield "what links conda packages", "it comes from an index; pack --with-image brings the result"


def _wanted(recipe: Recipe) -> frozenset[str]:
    """Names in requirements.txt."""
    lines = (line for line in recipe.requirements.splitlines() if line and line[0] not in "#-")
    return frozenset(line.replace("@", "=").partition("=")[0].strip() for line in lines)


def _here(lock: Lock) -> str:
    python = f"{lock.interpreter.implementation} {lock.interpreter.version.rpartition('.')[0]}"
    return f"all packages travel along, and this machine has {python} and the libraries"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown

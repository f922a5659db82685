"""Locks that lie in a bundle: which experiments there are, and whether a stranger's may run here."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from envfreeze.cli._common import Terminal
from envfreeze.errors import InputError


def experiments_in(path: Path, wanted: str | None, *, progress: Terminal) -> dict[str, Path] | None:
    """The lock of each experiment of a bundle, packed or unpacked; None when the path is no bundle.

    Raises:
        InputError: the bundle is damaged, or has no experiment of the wanted name.
    """
    from envfreeze.bundle.layout import MANIFEST

    if path.is_file() and path.suffix != ".lock":
        from envfreeze.bundle.unpack import is_bundle

        if not is_bundle(path):
            return None
        from envfreeze.artifacts import locks_of

        _, locks = locks_of(path, progress=progress)
    elif path.is_dir() and (path / MANIFEST).is_file():
        from envfreeze.artifacts import locks_in

        locks = locks_in(path)
    else:
        if wanted is not None:
            raise InputError(f"{path} is no bundle, so that it has no experiment {wanted!r}.")
        return None
    if wanted is None:
        return locks
    if wanted not in locks:
        raise InputError(f"{path} has no experiment {wanted!r}.", hint=f"It has: {', '.join(locks)}.")
    return {wanted: locks[wanted]}


def is_strangers(lock: Path) -> bool:
    """Whether a lockfile, or the one in this folder, is an experiment's of an unpacked bundle."""
    from envfreeze.records.lockfile import locate
    from envfreeze.store import Store

    return Store(locate(lock.absolute()).parent).bundle is not None


def agree_to_run(engine: str, *, yes: bool) -> None:
    """Ask once before a stranger's program runs with the weaker isolation of the local engine.

    Raises:
        InputError: nobody can be asked, and ``--yes`` was not given.
        click.Abort: the answer is no.
    """
    from envfreeze.engines import _local_sandbox, choose

    if yes or choose(engine).name != "local":
        return
    if _local_sandbox.best().startswith("bubblewrap"):
        files = (
            "with a file system of their own by bubblewrap, and without the engine's filter of system calls"
        )
    else:
        files = "with all of your files within their reach, as bubblewrap is not installed"
    words = (
        "the engine local runs this bundle's programs as you, without network where it can be taken away, "
        f"{files}, on this machine's kernel and libraries; what has to be built from source is built by its "
        "own scripts, without any isolation"
    )
    if not sys.stdin.isatty():
        raise InputError(f"{words}.", hint="Add --yes when you trust the bundle, or use --engine docker.")
    click.confirm(f"{words[0].upper()}{words[1:]}. Go on?", abort=True, err=True)

"""What the exports of whole layouts share: the image's Dockerfile with more behind it, and the command."""

from __future__ import annotations

import shlex

from envfreeze.errors import InputError
from envfreeze.recipe.command import portable
from envfreeze.recipe.quote import comment
from envfreeze.recipe.variables import workspace
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation


def dockerfile(lock: Lock, *behind: str) -> str:
    """The Dockerfile that ``build`` takes, with further lines.

    Raises:
        InputError: the lock cannot be built.
    """
    from envfreeze.recipe import recipe_of

    return recipe_of(lock).dockerfile + "".join(f"{line}\n" for line in ("", *behind))


def run_of(lock: Lock) -> Observation:
    """The recorded run.

    Raises:
        InputError: there is none, or its command cannot stand on one line of a script.
    """
    if lock.run is None:
        raise InputError(
            "the lock records an environment and no run, so there is no command to export.",
            hint="Freeze with a command: envfreeze freeze -- python train.py",
        )
    if any(comment(word) != word.strip() for word in lock.run.command):
        raise InputError("the command holds control characters, which the script cannot.")
    return lock.run


def command_line(run: Observation) -> str:
    """The command as a line of a shell script, with the interpreter found by name."""
    return shlex.join(portable(run.command))


def subfolder(run: Observation) -> str:
    """Where in the project the command runs; empty at its top."""
    return workspace(run).removeprefix("/workspace").lstrip("/")

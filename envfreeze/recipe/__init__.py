"""From a lock to a build context: base image, requirements with hashes, vendored wheels, the Dockerfile."""

from __future__ import annotations

from envfreeze.records.lock import Lock
from envfreeze.records.recipe import BaseImage, Recipe


def recipe_of(lock: Lock) -> Recipe:
    """The recipe of a lock: Dockerfile and what it copies.

    Raises:
        InputError: the lock cannot be built.
    """
    from envfreeze.recipe.render import render

    base = lock.base or BaseImage(reference=f"python:{lock.interpreter.version}-slim")
    return render(lock, base)

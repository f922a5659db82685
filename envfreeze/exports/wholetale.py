"""The files that Whole Tale builds an environment from: those of repo2docker, at the workspace's top.

Source: https://wholetale.readthedocs.io/en/stable/users_guide/environment.html. They name Python's series
only, so its patch version is whatever repo2docker has; the packages are the recorded ones, by digest.
"""

from __future__ import annotations

from envfreeze.exports import Export
from envfreeze.exports._files import MADE_BY, python_version
from envfreeze.exports.requirements import render as requirements
from envfreeze.recipe.system_packages import missing_from
from envfreeze.records.lock import Lock


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """Requirements, Python's series, and packages of the system."""
    from envfreeze.recipe import recipe_of

    version = python_version(lock)
    system = sorted(wanted.name for wanted in missing_from(recipe_of(lock).base, lock.system).packages)
    return (
        *requirements(lock, wheels),
        f"python-{version.major}.{version.minor}\n",
        "".join(f"{line}\n" for line in (f"# {MADE_BY}.", *system)),
    )


EXPORT = Export(
    name="wholetale",
    summary="Whole Tale, and repo2docker without a Dockerfile (a folder: -o tale/)",
    files=("requirements.txt", "runtime.txt", "apt.txt"),
    render=render,
    unmarked=("runtime.txt",),
)

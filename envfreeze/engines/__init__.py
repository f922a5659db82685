"""Engines: where a replay runs. Nothing outside this folder knows which one it is.

To add one, add a file with ``ENGINE = …`` that follows the ``Engine`` protocol; the registry finds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.progress import Progress
from envfreeze.records.base import Record
from envfreeze.records.recipe import Recipe
from envfreeze.records.run import Image, Job, JobResult
from envfreeze.store import Store


class Check(Record):
    """One thing that ``doctor`` looked at."""

    name: str
    state: Literal["ok", "warning", "missing"]
    found: str
    mend: str = ""
    """What the user can do about it."""


@runtime_checkable
class Engine(Protocol):
    """Builds environments and runs jobs in them."""

    name: str
    preference: int
    """With ``--engine auto`` the available engine with the highest preference is taken."""

    def check(self) -> Check:
        """Whether this engine works on this machine; quick, and never raises."""

    def base_digest(self, reference: str) -> str | None:
        """``sha256:…`` of a base image on its registry; None when it cannot be asked or does not exist."""

    def base_exists(self, reference: str) -> bool | None:
        """Whether the registry or the engine has the image; None when nobody can be asked."""

    def build(self, recipe: Recipe, store: Store, *, progress: Progress, force: bool = False) -> Image:
        """Make the environment, or find it made already.

        Raises:
            InputError: the recipe cannot be installed as written (a version that no index has).
            EnvironmentFailure: engine, network or disk failed; nothing half-built is left behind.
        """

    def run(self, image: Image, job: Job, store: Store, folder: Path, *, progress: Progress) -> JobResult:
        """Run the job and copy out what it made.

        Afterwards ``folder`` holds ``stdout``, ``stderr`` and ``outputs/…`` with the files that are new or
        changed against ``job.files``, relative to the project (outputs elsewhere under ``outputs/@root/…``),
        even when the command failed, was killed or ran out of time.

        Raises:
            EnvironmentFailure: the engine failed; what could be copied out lies in ``folder``.
        """


def engines() -> list[Engine]:
    """All engines, the preferred one first."""
    from envfreeze import engines as family
    from envfreeze.registry import members

    found = members(family, "ENGINE", Engine)  # type: ignore[type-abstract]
    return sorted(found, key=lambda engine: -engine.preference)


def choose(name: str) -> Engine:
    """The engine called ``name``, or with ``auto`` the best that works here.

    Raises:
        InputError: there is no engine of that name.
        EnvironmentFailure: the engine does not work on this machine.
    """
    found = engines()
    if name == "auto":
        for engine in found:
            if engine.check().state != "missing":
                return engine
        raise EnvironmentFailure("no engine works on this machine.", hint="`envfreeze doctor` says why.")
    for engine in found:
        if engine.name == name:
            check = engine.check()
            if check.state == "missing":
                raise EnvironmentFailure(
                    f"engine {name!r} does not work here: {check.found}.", hint=check.mend
                )
            return engine
    names = ", ".join(engine.name for engine in found)
    raise InputError(f"there is no engine {name!r}; there are: auto, {names}.")

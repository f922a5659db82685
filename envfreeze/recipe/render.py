"""From a lock to the recipe of its image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePosixPath

import envfreeze
from envfreeze.errors import InputError
from envfreeze.recipe import base_image, quote
from envfreeze.recipe.command import portable
from envfreeze.recipe.requirements import Requirements, requirements
from envfreeze.recipe.system_packages import BUILD_TOOLS, missing_from
from envfreeze.recipe.variables import for_image, workspace
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import BaseImage, Recipe
from envfreeze.resources import resource

MARK = "# Made by envfreeze from envfreeze.lock."
"""How the first line of a Dockerfile begins that envfreeze may write anew."""

TEMPLATE_VERSION = 1
"""Raised when the template makes another image of the same lock, so that old images are not taken for it."""


def render(lock: Lock, base: BaseImage) -> Recipe:
    """The Dockerfile in both variants and all that it copies.

    Raises:
        InputError: some packages cannot be installed again, or the lock holds what no Dockerfile can.
    """
    base_image.check(base)
    if lock.conda is not None and not lock.conda.prefix:
        raise InputError(
            f"the lock has {len(lock.conda.packages)} packages of conda, and no image is made of them yet.",
            hint="Make the environment with conda: envfreeze export --to explicit -o conda-explicit.txt",
        )
    wanted = requirements(lock)
    system = missing_from(base, lock.system)
    identity = _identity(base, wanted, system)
    labels = {
        "org.opencontainers.image.title": "environment frozen by envfreeze",
        "org.opencontainers.image.base.name": f"docker.io/library/{base.reference}",
        "envfreeze.environment-id": identity,
        "envfreeze.version": envfreeze.__version__,
    }
    plain, buildkit = (
        _dockerfile(lock, base, wanted, system, labels, buildkit=buildkit) for buildkit in (False, True)
    )
    return Recipe(
        base=base,
        python=lock.interpreter.version,
        dockerfile=plain,
        dockerfile_buildkit=buildkit,
        requirements=wanted.text,
        wheels=wanted.wheels,
        labels=labels,
        environment_id=identity,
        build_tools=wanted.built,
    )


def _identity(base: BaseImage, wanted: Requirements, system: Sequence[str]) -> str:
    """Equal for equal environments: the run's command and variables are no part of it."""
    parts = [
        TEMPLATE_VERSION,
        base.reference,
        base.digest,
        wanted.text,
        [(wheel.file, wheel.sha256) for wheel in wanted.wheels],
        list(system),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _dockerfile(
    lock: Lock,
    base: BaseImage,
    wanted: Requirements,
    system: Sequence[str],
    labels: dict[str, str],
    *,
    buildkit: bool,
) -> str:
    import jinja2

    run = lock.run
    musl = "alpine" in base.reference
    environment = jinja2.Environment(  # noqa: S701 - not HTML; every value has a filter or was validated
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "double": quote.double,
        "exec_form": quote.exec_form,
        "comment": quote.comment,
    }
    tools = BUILD_TOOLS["musl" if musl else "glibc"] if wanted.built else ()
    return environment.from_string(resource("templates/Dockerfile.j2").read_text()).render(
        buildkit=buildkit,
        name="frozen",
        base=base,
        musl=musl,
        system_packages=system,
        build_tools=wanted.built,
        install=(*tools, *system),
        options=_pip_options(wanted),
        labels=labels,
        variables=for_image(run.environment) if run else {},
        directory=workspace(run) if run else "/workspace",
        command=portable(run.command) if run else ("python",),
    )


def _pip_options(wanted: Requirements) -> str:
    links = ["--find-links", str(PurePosixPath("/tmp/envfreeze/wheels"))] if wanted.wheels else []  # noqa: S108
    return " ".join(
        ["--require-hashes", "--no-deps", *links, "-r", "/tmp/envfreeze/requirements.txt"]  # noqa: S108
    )

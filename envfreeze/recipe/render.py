"""From a lock to the recipe of its image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePosixPath

import envfreeze
from envfreeze import gpus
from envfreeze.recipe import _conda, base_image, quote
from envfreeze.recipe._conda import conda_recipe, without_conda
from envfreeze.recipe.command import portable
from envfreeze.recipe.cuda_image import exact_packages
from envfreeze.recipe.requirements import Requirements, requirements
from envfreeze.recipe.system_files import to_install
from envfreeze.recipe.system_packages import BUILD_TOOLS, SystemInstall, missing_from
from envfreeze.recipe.variables import for_image, of_system, workspace
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import BaseImage, CondaRecipe, Recipe
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
    conda = conda_recipe(lock)
    wanted = requirements(without_conda(lock) if conda else lock)
    system = missing_from(base, lock.system)
    files = to_install(lock.system)
    identity = _identity(base, wanted, system, conda, files, exact_packages(lock))
    labels = {
        "org.opencontainers.image.title": "environment frozen by envfreeze",
        "org.opencontainers.image.base.name": f"docker.io/library/{base.reference}",
        "envfreeze.environment-id": identity,
        "envfreeze.version": envfreeze.__version__,
    }
    plain, buildkit = (
        _dockerfile(lock, base, wanted, system, labels, conda, buildkit=buildkit)
        for buildkit in (False, True)
    )
    return Recipe(
        base=base,
        python=lock.interpreter.version,
        dockerfile=plain,
        dockerfile_buildkit=buildkit,
        requirements=wanted.text,
        wheels=wanted.wheels,
        files=files,
        labels=labels,
        environment_id=identity,
        conda=conda,
        build_tools=wanted.built,
    )


def _identity(
    base: BaseImage,
    wanted: Requirements,
    system: SystemInstall,
    conda: CondaRecipe | None,
    files: Sequence[FileEntry],
    cuda_packages: Sequence[str],
) -> str:
    """Equal for equal environments: the run's command and variables are no part of it."""
    parts = [
        TEMPLATE_VERSION,
        base.reference,
        base.digest,
        wanted.text,
        [(wheel.file, wheel.sha256) for wheel in wanted.wheels],
        list(system.packages),
        *([[base.cuda.reference, base.cuda.digest, cuda_packages]] if base.cuda else []),
        *([[(entry.path, entry.sha256, entry.link) for entry in files]] if files else []),
        *([_conda.identity(conda)] if conda else []),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _dockerfile(
    lock: Lock,
    base: BaseImage,
    wanted: Requirements,
    system: SystemInstall,
    labels: dict[str, str],
    conda: CondaRecipe | None,
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
    template = "templates/Dockerfile.conda.j2" if conda else "templates/Dockerfile.j2"
    stage = ""
    if base.cuda is not None:
        text = resource("templates/Dockerfile.cuda.j2").read_text()
        stage = environment.from_string(text).render(cuda=base.cuda, cuda_packages=exact_packages(lock))
    return environment.from_string(resource(template).read_text()).render(
        **_of_conda(lock, base, conda, tools, wanted),
        buildkit=buildkit,
        name="frozen",
        base=base,
        gpus=bool(gpus.recorded(lock)),
        cuda=stage,
        musl=musl,
        system_packages=system.packages,
        snapshots=system.snapshots,
        system_files=len(lock.system.files),
        build_tools=wanted.built,
        install=(*(() if conda else tools), *(package.name for package in system.packages)),
        exact=(*(() if conda else tools), *(package.exact for package in system.packages)),
        labels=labels,
        variables=(for_image(run.environment) if run else {}) | of_system(lock.system),
        directory=workspace(run) if run else "/workspace",
        command=portable(run.command) if run else ("python",),
    )


def _of_conda(
    lock: Lock, base: BaseImage, conda: CondaRecipe | None, tools: Sequence[str], wanted: Requirements
) -> dict[str, object]:
    """What the templates say of conda, and of pip beside it."""
    if conda is None:
        return {"options": _pip_options(wanted)}
    python = f"{conda.prefix}/bin/python"
    return {
        "tool_image": _conda.tool_image(base.reference),
        "prefix": conda.prefix,
        "compiler": tools,
        "pip": f"{python} -m pip" if _conda.has_pip(lock) else f"pip --python {python}",
        "options": _pip_options(wanted) if wanted.names else "",
    }


def _pip_options(wanted: Requirements) -> str:
    links = ["--find-links", str(PurePosixPath("/tmp/envfreeze/wheels"))] if wanted.wheels else []  # noqa: S108
    return " ".join(
        ["--require-hashes", "--no-deps", *links, "-r", "/tmp/envfreeze/requirements.txt"]  # noqa: S108
    )

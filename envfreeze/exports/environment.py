"""``environment.yml``: exact versions and builds for ``conda env create``, with pip's part hash-checked."""

from __future__ import annotations

from typing import Any

import msgspec

from envfreeze.errors import InputError
from envfreeze.exports import Export
from envfreeze.exports._conda import channel, conda_packages, short_channel
from envfreeze.exports._files import MADE_BY, package_files, python_version
from envfreeze.recipe.requirements import requirements
from envfreeze.records.lock import Lock

NAME = "frozen"
DEFAULT_CHANNEL = "conda-forge"


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """Keys: https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html.

    Of a lock without conda, Python comes from conda-forge and all packages from pip.
    """
    import yaml

    dependencies: list[Any] = []
    channels = [DEFAULT_CHANNEL]
    if lock.conda is not None:
        packages = conda_packages(lock)
        dependencies += [f"{package.name}={package.version}={package.build}" for package in packages]
        channels = list(dict.fromkeys(short_channel(channel(package)) for package in packages))
    else:
        dependencies += [f"python={python_version(lock)}"]
    if "pip" not in {word.partition("=")[0] for word in dependencies}:
        dependencies.append("pip")
    if lines := _pip_lines(lock, wheels):
        dependencies.append({"pip": lines})
    content = {"name": NAME, "channels": [*channels, "nodefaults"], "dependencies": dependencies}
    return (f"# {MADE_BY}.\n{yaml.safe_dump(content, sort_keys=False, width=1 << 30)}",)


def _pip_lines(lock: Lock, wheels: str) -> list[str]:
    """Lines of the requirements file that conda makes of them; one ``--hash`` makes pip ask for all."""
    kept = tuple(package for package in lock.packages if package.source != "conda")
    of_pip = msgspec.structs.replace(lock, packages=kept)
    files = package_files(of_pip, wheels)
    if not files:
        return []
    if any(file.vendored for file in files) and ".." in wheels.split("/"):
        raise InputError("the vendored wheels must lie below the exported file.")
    links = [f"--find-links ./{wheels}"] if any(file.vendored for file in files) else []
    lines = [line for line in requirements(of_pip).text.splitlines() if not line.startswith("#")]
    return [*links, *lines]


EXPORT = Export(
    name="environment",
    summary="conda env create -f environment.yml, micromamba create -f environment.yml",
    files=("environment.yml",),
    render=render,
)

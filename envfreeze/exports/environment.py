"""``environment.yml``: exact versions and builds for ``conda env create``, with pip's part hash-checked."""

from __future__ import annotations

from typing import Any

from envfreeze.errors import InputError
from envfreeze.exports import Export
from envfreeze.exports._conda import channel, conda_packages, short_channel
from envfreeze.exports._files import MADE_BY, PackageFile, package_files, python_version
from envfreeze.probes.pip import DEFAULT_INDEX
from envfreeze.recipe._conda import without_conda
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
    """Lines of the requirements file that conda makes of them; one ``--hash`` makes pip ask for all.

    conda-lock takes no options here, only requirements. So what is not on PyPI is named by its address, and
    only wheels that travel with the file need ``--find-links``: conda-lock cannot take those at all.
    """
    files = package_files(without_conda(lock), wheels)
    if any(file.vendored for file in files) and ".." in wheels.split("/"):
        raise InputError("the vendored wheels must lie below the exported file.")
    links = [f"--find-links ./{wheels}"] if any(file.vendored for file in files) else []
    return [*links, *map(_pip_line, files)]


def _pip_line(file: PackageFile) -> str:
    if file.vendored or (file.index == DEFAULT_INDEX and not file.direct):
        return f"{file.name}=={file.version} --hash=sha256:{file.sha256}"
    return f"{file.name} @ {file.place}#sha256={file.sha256}"


EXPORT = Export(
    name="environment",
    summary="conda env create -f environment.yml, micromamba create -f environment.yml",
    files=("environment.yml",),
    render=render,
)

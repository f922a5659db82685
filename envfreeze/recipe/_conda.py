"""The conda part of a recipe: which archives make the environment, and where it lies in an image."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

import msgspec

from envfreeze.errors import InputError
from envfreeze.recipe.quote import comment
from envfreeze.records.environment import CondaPackage
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import CondaFile, CondaRecipe

HOME = "/opt/conda"
"""Where environments lie in an image: a place that names no user, and that no job's files are laid over."""

TOOL_IMAGE = "python:3.11-slim"
"""Has the Python that runs py-rattler while an image is built; nothing of it stays in the image."""

_TOOL = {
    "linux-x86_64": "4f4ab1d34d5394e7ce130a86e59009c95ace4f5757d9c3af04de1351bcea47eb",
    "linux-aarch64": "61b24202374188e72130f1b3dc63b455befaafc3e49e5481a38b6a6c8828c1e0",
    "linux-ppc64le": "595e415bc27f01bd95cc3c03138c0dc4087d57d8db2e80c72ca0063ee66c01b8",
}
_TOOL_VERSION = "0.28.0"
"""py-rattler's wheels by platform, from https://pypi.org/simple/py-rattler/."""

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*")
_URL = re.compile(r"(https?|file)://[A-Za-z0-9\-._~:/!+%]+\.(conda|tar\.bz2)")
_PATH = re.compile(r"(/[A-Za-z0-9._+-]+)+")


def uses_conda(lock: Lock) -> bool:
    """True when the packages of conda are what ran.

    False for a virtual environment that only borrows conda's interpreter: an official image has the same.
    """
    if lock.conda is None:
        return False
    is_own = lock.conda.prefix in {"", lock.interpreter.prefix}
    return is_own or any(package.source == "conda" for package in lock.packages)


def is_usable(package: CondaPackage) -> bool:
    """True when its fields may be fed to an installer, and its archive is named by address and digest."""
    words = (package.name, package.version, package.build)
    digests = re.fullmatch(r"([0-9a-f]{32})?", package.md5) and re.fullmatch(
        r"([0-9a-f]{64})?", package.sha256
    )
    known = bool(package.sha256 or (package.md5 and not package.vendored))
    plain = _URL.fullmatch(package.url) and ".." not in package.url.split("/")
    return bool(all(map(_WORD.fullmatch, words)) and plain and digests and known)


def without_conda(lock: Lock) -> Lock:
    """The lock with what pip installed only: conda's packages bring their own metadata with them."""
    kept = tuple(package for package in lock.packages if package.source != "conda")
    return msgspec.structs.replace(lock, packages=kept)


def conda_recipe(lock: Lock) -> CondaRecipe | None:
    """What makes the lock's conda environment again; None when there is none.

    Raises:
        InputError: some packages cannot be had again, or the lock holds what no installer may be fed.
    """
    if lock.conda is None or not uses_conda(lock):
        return None
    packages = sorted(lock.conda.packages, key=lambda package: package.name)
    bad = [package.name for package in packages if not is_usable(package)]
    if bad:
        raise InputError(
            f"these conda packages have no usable address in the lock: {_named(bad)}.", hint=_AGAIN
        )
    lost = [package.name for package in packages if package.url.startswith("file:") and not package.vendored]
    if lost:
        raise InputError(
            f"these conda packages came from a folder, and are not in the store: {_named(lost)}.",
            hint="Freeze again on the machine that has the folder.",
        )
    if not any(package.name == "python" for package in packages):
        raise InputError("the lock's conda environment has no Python.", hint=_AGAIN)
    return CondaRecipe(
        prefix=_prefix(lock),
        packages=tuple(map(_file, packages)),
        tool=_tool(lock.interpreter.platform),
    )


def _named(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return comment(", ".join(names[:5])) + more


_AGAIN = "Restore envfreeze.lock from version control, or freeze again."


def _file(package: CondaPackage) -> CondaFile:
    return CondaFile(
        file=package.url.rpartition("/")[2],
        url="" if package.vendored else package.url,
        sha256=package.sha256 or None,
        md5=package.md5,
    )


def _prefix(lock: Lock) -> str:
    """The recorded place, as it is in outputs and in files, where it is one below ``HOME``."""
    assert lock.conda is not None
    recorded = lock.conda.prefix
    is_plain = _PATH.fullmatch(recorded) and ".." not in PurePosixPath(recorded).parts
    if is_plain and PurePosixPath(recorded).is_relative_to(HOME):
        return recorded
    name = lock.conda.name
    if name in {"", "base"} or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name):
        return HOME
    return f"{HOME}/envs/{name}"


def _tool(platform: str) -> str:
    digest = _TOOL.get(platform)
    if digest is None:
        raise InputError(
            f"there is no py-rattler for {platform or 'an unknown platform'}, which links conda packages."
        )
    return f"py-rattler=={_TOOL_VERSION} --hash=sha256:{digest}\n"


def tool_image(base: str) -> str:
    """The image to link in: of the same release of Debian as the one that the environment will lie in."""
    release = re.fullmatch(r"(?:debian:|python:.*-slim-)([a-z]+)(?:-slim)?", base)
    return f"{TOOL_IMAGE}-{release[1]}" if release else TOOL_IMAGE


def packages_text(conda: CondaRecipe) -> str:
    """``packages.txt``: conda's explicit format, with files in the place of addresses of one machine."""
    lines = ["# Made by envfreeze from envfreeze.lock; do not edit.", "@EXPLICIT"]
    for package in conda.packages:
        digest = f"sha256:{package.sha256}" if package.sha256 else package.md5
        lines.append(f"{package.url or f'packages/{package.file}'}#{digest}")
    return "".join(f"{line}\n" for line in lines)


def identity(conda: CondaRecipe) -> str:
    """Equal for equal environments."""
    return json.dumps([conda.prefix, packages_text(conda), conda.tool])


def has_pip(lock: Lock) -> bool:
    """True when the environment brings a pip of its own."""
    return lock.conda is not None and any(package.name == "pip" for package in lock.conda.packages)

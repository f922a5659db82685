"""Which of NVIDIA's images the CUDA libraries of the system are taken from, where the packages bring none.

The image of the environment starts from the interpreter's own in any case, as NVIDIA's images have no Python:
the libraries are copied into it from a stage of its Dockerfile. They need nothing but a C library that is not
older than theirs. Tags: https://hub.docker.com/r/nvidia/cuda and
https://gitlab.com/nvidia/container-images/cuda/-/blob/master/doc/supported-tags.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

from envfreeze.gpu_files import library
from envfreeze.records.environment import GpuLibrary, SystemPackage
from envfreeze.records.files import Gap
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import CudaImage

if TYPE_CHECKING:
    from envfreeze.engines import Engine

_UBUNTU = ("24.04", "22.04", "20.04", "18.04")
_FITTING = {"trixie": "24.04", "bookworm": "22.04", "bullseye": "20.04", "buster": "18.04"}
"""For each release of Debian the newest Ubuntu whose C library is not newer: glibc 2.39, 2.35, 2.31, 2.27."""
_NEWEST_PATCH = {"11.0": 3, "11.1": 1, "11.2": 2, "11.3": 1, "11.4": 3, "11.5": 2, "11.6": 2, "11.7": 1,
                 "12.0": 1, "12.1": 1, "12.2": 2, "12.3": 2, "12.4": 1, "12.5": 1, "12.6": 3, "12.8": 1,
                 "12.9": 1}  # fmt: skip
"""The last image of each series, for where nobody can be asked; 0 for others."""
MOST_QUESTIONS = 24

_TOOLKIT = re.compile(r"\d+\.\d+(\.\d+)?")
_NAME = re.compile(r"(cuda-|libcu|libnpp|libnv|libnccl|libnvinfer)[a-z0-9+.-]+")
"""How NVIDIA names its Debian packages (https://developer.download.nvidia.com/compute/cuda/repos/)."""
_VERSION = re.compile(r"[A-Za-z0-9.+:~-]+")


class Choice(NamedTuple):
    """NVIDIA's image, words on CUDA for the base image's reason, and what is not as recorded."""

    image: CudaImage | None = None
    words: str = ""
    gaps: tuple[Gap, ...] = ()


def choose(lock: Lock, base: str, engine: Engine | None) -> Choice:
    """What the image of a lock gets CUDA from; ``base`` is the image that it starts from."""
    if lock.cuda is None:
        return Choice()
    missing = not_brought(lock)
    if not missing:
        return Choice(words=_brought(lock))
    names = ", ".join(dict.fromkeys(item.name for item in missing))
    if "alpine" in base or not _TOOLKIT.fullmatch(lock.cuda.toolkit):
        why = f"{names}: the version of their toolkit is not known" if "alpine" not in base else names
        return Choice(gaps=(Gap(what=_NOT_THERE, why=why),))
    reference = _reference(lock.cuda.toolkit, missing, base, engine)
    if reference is None:
        why = f"{names}: no image nvidia/cuda of CUDA {lock.cuda.toolkit} is on its registry"
        return Choice(gaps=(Gap(what=_NOT_THERE, why=why),))
    folder = missing[0].path.rpartition("/")[0]
    image = CudaImage(
        reference=reference,
        digest=(engine.base_digest(reference) or None) if engine is not None else None,
        why=f"The run loaded {names} of CUDA {lock.cuda.toolkit} from the system ({folder})",
    )
    words = f"CUDA is copied from {reference}, as the run loaded the system's"
    return Choice(image, words, tuple(_inexact(lock, missing, reference)))


_NOT_THERE = "CUDA libraries of the system are not in the image"


def not_brought(lock: Lock) -> tuple[GpuLibrary, ...]:
    """Libraries that the run loaded from the system, and that the store does not hold."""
    if lock.cuda is None:
        return ()
    kept = {entry.path for entry in lock.system.files}
    return tuple(item for item in lock.cuda.libraries if item.origin == "system" and item.path not in kept)


def exact_packages(lock: Lock) -> tuple[str, ...]:
    """``name=version`` of NVIDIA's Debian packages that own them; its archive keeps all versions."""
    missing = {item.path for item in not_brought(lock)}
    return tuple(
        f"{package.name}={package.version}"
        for package in sorted(lock.system.packages, key=lambda package: package.name)
        if _is_of_nvidia(package) and missing & set(package.libraries)
    )


def _is_of_nvidia(package: SystemPackage) -> bool:
    named = _NAME.fullmatch(package.name) and _VERSION.fullmatch(package.version)
    return package.manager == "dpkg" and bool(named)


def _brought(lock: Lock) -> str:
    """What brings CUDA when no image is needed; empty when the run loaded none of it."""
    assert lock.cuda is not None
    found = lock.cuda.libraries
    packages = list(dict.fromkeys(item.package for item in found if item.origin == "wheel"))
    if packages:
        more = f" and {len(packages) - 2} more" if packages[2:] else ""
        return f"CUDA comes with its packages ({', '.join(packages[:2])}{more})"
    if any(item.origin == "conda" for item in found):
        return "CUDA comes with conda's packages"
    if any(item.origin == "system" for item in found):
        return "CUDA's libraries lie among the recorded files of the system"
    return ""


def _reference(toolkit: str, libraries: Sequence[GpuLibrary], base: str, engine: Engine | None) -> str | None:
    """The first candidate that exists; the first of all where nobody can be asked."""
    candidates = list(_candidates(toolkit, libraries, base))[:MOST_QUESTIONS]
    if engine is None:
        return candidates[0]
    for candidate in candidates:
        exists = engine.base_exists(candidate)
        if exists is None:
            return candidates[0]
        if exists:
            return candidate
    return None


def _candidates(toolkit: str, libraries: Sequence[GpuLibrary], base: str) -> Iterator[str]:
    fitting = next((ubuntu for release, ubuntu in _FITTING.items() if release in base), "22.04")
    older = _UBUNTU[_UBUNTU.index(fitting) :]
    newer = tuple(reversed(_UBUNTU[: _UBUNTU.index(fitting)]))
    for version in _versions(toolkit):
        for ubuntu in (*older, *newer):
            for flavour in _flavours(libraries):
                yield f"nvidia/cuda:{version}-{flavour}-ubuntu{ubuntu}"


def _versions(toolkit: str) -> Iterator[str]:
    """The release itself, then the others of its series, the newest first."""
    series = ".".join(toolkit.split(".")[:2])
    newest = _NEWEST_PATCH.get(series, 0)
    wanted = [toolkit] if toolkit != series else []
    yield from dict.fromkeys([*wanted, *(f"{series}.{patch}" for patch in (newest, 3, 2, 1, 0))])


def _flavours(libraries: Sequence[GpuLibrary]) -> list[str]:
    """The smallest that has them all: ``base`` has the runtime alone, ``devel`` the compiler's too."""
    names = {item.name for item in libraries}
    kind = "devel" if "nvvm" in names else "base" if names <= {"cudart"} else "runtime"
    cudnn = next((item.version for item in libraries if item.name.startswith("cudnn")), "")
    if not cudnn:
        return [kind]
    kind = "runtime" if kind == "base" else kind
    major = Version(cudnn).major
    # With the major version in the name up to CUDA 12.3, without it from 12.4 on.
    return [f"cudnn{major}-{kind}", f"cudnn-{kind}"] if major < 9 else [f"cudnn-{kind}", f"cudnn9-{kind}"]


def _inexact(lock: Lock, missing: Sequence[GpuLibrary], reference: str) -> Iterator[Gap]:
    """What is of the image's own version, as no package of NVIDIA says which one it was."""
    exact = {text.partition("=")[0] for text in exact_packages(lock)}
    owned = {path for package in lock.system.packages if package.name in exact for path in package.libraries}
    others = [f"{item.name} {item.version}".strip() for item in missing if item.path not in owned]
    if others:
        why = f"the run had {', '.join(dict.fromkeys(others))}; the image has those of {reference}"
        yield Gap(what="versions of CUDA libraries of the system", why=why)


def is_covered(path: str, image: CudaImage | None) -> bool:
    """True for a library that such an image brings."""
    named = library(path)
    return image is not None and named is not None and named.kind == "cuda"

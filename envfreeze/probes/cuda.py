"""GPUs and the CUDA stack: what the driver offers, what the Python packages bring, and what the run loaded.

Nothing heavy is imported: versions come from ``nvidia-smi``, from the loaded libraries, from the installed
distributions, and from the small files in which torch and tensorflow note what they were built with.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from envfreeze.errors import ProbeError
from envfreeze.gpu_files import asks_driver
from envfreeze.probes import Probe, Section, Target
from envfreeze.probes._gpu_libraries import full_version, loaded
from envfreeze.probes._nvidia_smi import Driver, ask, of_kernel
from envfreeze.records.environment import Cuda, GpuLibrary
from envfreeze.records.files import Gap

_DISTRIBUTIONS = {
    "runtime": re.compile(r"nvidia-cuda-runtime(-cu\d+)?"),
    "cudnn": re.compile(r"nvidia-cudnn(-cu\d+)?"),
    "nccl": re.compile(r"nvidia-nccl(-cu\d+)?"),
}
"""Which distribution on PyPI carries which library; from CUDA 13 on without the suffix for the runtime."""

_NOTES = (
    ("torch", "torch/version.py", "runtime", re.compile(r"""^cuda\b[^=\n]*=\s*['"]([\d.]+)['"]""", re.M)),
    (
        "tensorflow",
        "tensorflow/python/platform/build_info.py",
        "runtime",
        re.compile(r"cuda_version\W+([\d.]+)"),
    ),
    (
        "tensorflow",
        "tensorflow/python/platform/build_info.py",
        "cudnn",
        re.compile(r"cudnn_version\W+([\d.]+)"),
    ),
)
"""Files in which a framework notes the versions that it was built with."""


_LOADED = {"runtime": "cudart", "cudnn": "cudnn", "nccl": "nccl"}
_SERIES = re.compile(r"/cuda-(\d+\.\d+)/")
_EXACT = re.compile(r"\d+\.\d+\.\d{1,2}")
"""A release of the toolkit; parts of it have build numbers of three and more digits in the last place."""


def inspect(target: Target) -> Section:
    """No section where there is neither a GPU nor a CUDA package nor a loaded library of CUDA."""
    driver, gaps = _driver(target)
    libraries = loaded(target, "cuda")
    versions: dict[str, str] = {}
    evidence = []
    toolkit = _toolkit([item for item in libraries if item.origin == "system"], target)
    for kind, version, source in (*_of_loaded(libraries), *_of_toolkit(toolkit), *_versions(target)):
        versions.setdefault(kind, version)
        evidence.append(source)
    if not driver.gpus and not evidence and not libraries:
        return Section(value=None, gaps=gaps)
    value = Cuda(
        gpus=driver.gpus,
        used=_used(target, driver) if target.was_run else None,
        devices=tuple(path for path in target.devices if "nvidia" in path),
        driver=driver.version,
        driver_api=driver.api,
        toolkit=toolkit,
        libraries=libraries,
        evidence=tuple(dict.fromkeys(evidence)),
        **versions,
    )
    return Section(value=value, gaps=gaps)


def _driver(target: Target) -> tuple[Driver, tuple[Gap, ...]]:
    """By nvidia-smi, else by the kernel, which says less; and what is not known."""
    why = "nvidia-smi is not there"
    try:
        driver = ask(target.environment)
        if driver.gpus:
            return driver, ()
    except ProbeError as error:
        why = str(error)
    driver = of_kernel()
    if driver.gpus:
        why += "; memory, compute capability and division (MIG) are not known"
    elif why == "nvidia-smi is not there":
        return driver, ()
    return driver, (Gap(what="GPUs", why=why),)


def of_this_machine() -> Cuda | None:
    """The GPUs and the driver alone, for the record of a replay; None when the driver does not answer."""
    try:
        driver = ask(os.environ)
    except ProbeError:
        return None
    return Cuda(gpus=driver.gpus, driver=driver.version, driver_api=driver.api) if driver.gpus else None


def _used(target: Target, driver: Driver) -> bool:
    """Programs reach a GPU by libcuda alone, and have its device mapped while they hold a context."""
    asked = any(map(asks_driver, target.libraries)) and bool(driver.gpus)
    return asked or any("nvidia" in path for path in target.devices)


def _of_loaded(libraries: Sequence[GpuLibrary]) -> Iterator[tuple[str, str, str]]:
    for kind, name in _LOADED.items():
        if version := full_version(libraries, name):
            package = next(item.package for item in libraries if item.name == name)
            yield kind, version, package or next(item.path for item in libraries if item.name == name)


def _of_toolkit(toolkit: str) -> Iterator[tuple[str, str, str]]:
    if toolkit:
        yield "runtime", toolkit, f"toolkit {toolkit}"


def _toolkit(libraries: Sequence[GpuLibrary], target: Target) -> str:
    """The toolkit's release: NVIDIA's images say it in a variable, other installations in ``version.json``.

    Where neither is there, the folder's name or the version of the runtime tells the series at least.
    """
    if not libraries:
        return ""
    series = next((match[1] for item in libraries if (match := _SERIES.search(item.path))), "")
    if not series:
        parts = full_version(libraries, "cudart").split(".")
        series = ".".join(parts[:2]) if len(parts) > 1 else ""
    said = [target.environment.get("CUDA_VERSION", "")]
    for item in libraries:
        said += [_version_file(folder) for folder in list(Path(item.path).parents)[1:4]]
    exact = [version for version in said if _EXACT.fullmatch(version) and version.startswith(f"{series}.")]
    return exact[0] if exact else series


def _version_file(folder: Path) -> str:
    try:
        said = json.loads((folder / "version.json").read_bytes())["cuda"]["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return said if isinstance(said, str) else ""


def _versions(target: Target) -> Iterator[tuple[str, str, str]]:
    """Kind, version and where it was read, the more exact source first."""
    from packaging.utils import canonicalize_name

    installed: dict[str, dict[str, Any]] = {
        canonicalize_name(facts["name"]): facts for facts in target.facts["distributions"] if "name" in facts
    }
    for name, facts in sorted(installed.items()):
        for kind, pattern in _DISTRIBUTIONS.items():
            if pattern.fullmatch(name):
                yield kind, facts["version"], f"{name} {facts['version']}"
    for name, file, kind, pattern in _NOTES:
        if facts := installed.get(name, {}):
            try:
                text = Path(facts["location"], file).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            if match := pattern.search(text):
                yield kind, match[1], f"{name} {facts['version']} ({file})"


PROBE = Probe(section="cuda", inspect=inspect)

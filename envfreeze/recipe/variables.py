"""What of a run's variables and folders can stand in an image that other machines use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from envfreeze.recipe.quote import is_variable
from envfreeze.records.environment import System
from envfreeze.records.observation import Observation

_OF_THE_IMAGE = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|PWD|LD_.*|PIP_.*|UV_.*|CONDA.*|VIRTUAL_ENV.*"
    r"|PYTHONHOME|PYTHONEXECUTABLE|PYTHON_VERSION"
    r"|NVIDIA_VISIBLE_DEVICES|CUDA_VISIBLE_DEVICES|HIP_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES|GPU_DEVICE_ORDINAL"
)
"""Variables that name places of one machine, or that steer the build."""

_HOST_PATH = re.compile(r"(^|[\s:;,=])(/|~|file:)")
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")


def for_image(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that mean the same on every machine, sorted."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if is_variable(name, value) and not _OF_THE_IMAGE.fullmatch(name) and not _HOST_PATH.search(value)
    }


def of_system(system: System) -> dict[str, str]:
    """What leads programs to the system's recorded files: the loader's path, and the time zone."""
    folders = [folder for folder in system.library_path if folder in _folders(system)]
    found = {"LD_LIBRARY_PATH": ":".join(folders), "TZ": system.time_zone}
    return {name: value for name, value in found.items() if value and is_variable(name, value)}


def _folders(system: System) -> set[str]:
    return {str(PurePosixPath(entry.path).parent) for entry in system.files}


def workspace(run: Observation) -> str:
    """The run's working directory when its project lies at ``/workspace``."""
    directory, project = PurePosixPath(run.directory), PurePosixPath(run.project)
    if directory != project and directory.is_relative_to(project):
        relative = str(directory.relative_to(project))
        if _PLAIN.fullmatch(relative) and ".." not in relative.split("/"):
            return f"/workspace/{relative}"
    return "/workspace"

"""What of a run's variables and folders can stand in an image that other machines use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from envfreeze.recipe.quote import is_variable
from envfreeze.records.observation import Observation

_OF_THE_IMAGE = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|PWD|LD_.*|PIP_.*|UV_.*|CONDA.*|VIRTUAL_ENV.*"
    r"|PYTHONHOME|PYTHONEXECUTABLE|PYTHON_VERSION"
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


def workspace(run: Observation) -> str:
    """The run's working directory when its project lies at ``/workspace``."""
    directory, project = PurePosixPath(run.directory), PurePosixPath(run.project)
    if directory != project and directory.is_relative_to(project):
        relative = str(directory.relative_to(project))
        if _PLAIN.fullmatch(relative) and ".." not in relative.split("/"):
            return f"/workspace/{relative}"
    return "/workspace"

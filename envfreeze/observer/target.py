"""The target: the Python whose environment is frozen, which is not the one that envfreeze runs in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envfreeze.errors import EnvironmentFailure, InputError

TIMEOUT = 60.0
"""Seconds for the target to describe itself; a cold network file system needs some of them."""

_SCRIPT = Path(__file__).parent / "agent" / "inspect_target.py"
_HINT = "Name the interpreter with: envfreeze freeze --python /path/to/python"


def examine(executable: str, environment: Mapping[str, str], directory: Path) -> dict[str, Any]:
    """What the interpreter says of itself and of the distributions installed in it.

    It runs with the command's variables and in its folder, so that ``PYTHONPATH`` and the like count.
    The keys are those of ``agent/inspect_target.py``.

    Raises:
        InputError: there is no such interpreter, or it is no Python of version 3.8 or newer.
        EnvironmentFailure: it did not answer in time.
    """
    try:
        finished = subprocess.run(
            [executable, str(_SCRIPT)],
            env=_quiet(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentFailure(
            f"{executable} did not describe its environment within {TIMEOUT:.0f} seconds."
        ) from None
    except FileNotFoundError:
        missing = executable if directory.is_dir() else f"the folder {directory}"
        raise InputError(f"{missing} does not exist.", hint=_HINT) from None
    except OSError as error:
        raise InputError(f"{executable} cannot be run: {error.strerror}.", hint=_HINT) from None
    facts = _last_object(finished.stdout)
    if finished.returncode != 0 or facts is None:
        raise _failure(executable, environment, finished)
    return facts


def find(environment: Mapping[str, str]) -> str:
    """The interpreter that ``python`` would be: of the active environment, or else the first on PATH.

    Launchers such as pyenv's shims are asked for the interpreter behind them.

    Raises:
        InputError: there is none.
    """
    for candidate in _candidates(environment):
        if executable := _ask(candidate, environment):
            return executable
    raise InputError("no Python was found on PATH.", hint=_HINT)


def _candidates(environment: Mapping[str, str]) -> Iterator[str]:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if folder := environment.get(variable):
            for name in ("python", "python3"):
                path = Path(folder) / "bin" / name
                if path.exists():
                    yield str(path)
    for name in ("python", "python3"):
        for folder in environment.get("PATH", os.defpath).split(os.pathsep):
            if found := shutil.which(name, path=folder or "."):
                yield found


def _ask(candidate: str, environment: Mapping[str, str]) -> str | None:
    """The absolute path that an interpreter gives for itself; None when it is none, or too old."""
    code = "import sys; print(); sys.version_info >= (3, 8) and print(sys.executable)"
    try:
        finished = subprocess.run(
            [candidate, "-c", code],
            env=_quiet(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = finished.stdout.decode("utf-8", "surrogateescape").split("\n")
    path = next((line for line in reversed(lines) if line.strip()), "")
    return path if finished.returncode == 0 and os.access(path, os.X_OK) else None


def _quiet(environment: Mapping[str, str]) -> dict[str, str]:
    """The command's variables but for those that make Python wait for a person or write where it reads."""
    unwanted = {
        "PYTHONINSPECT",
        "PYTHONSTARTUP",
        "PYTHONVERBOSE",
        "PYTHONPROFILEIMPORTTIME",
        "PYTHONDUMPREFS",
    }
    return {name: value for name, value in environment.items() if name not in unwanted} | {
        "PYTHONWARNINGS": "ignore"
    }


def _last_object(output: bytes) -> dict[str, Any] | None:
    """The last line as a JSON object: a ``sitecustomize`` of the environment may have printed before."""
    lines = output.strip().splitlines()
    try:
        value = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _failure(
    executable: str, environment: Mapping[str, str], finished: subprocess.CompletedProcess[bytes]
) -> InputError:
    if _ask(executable, environment) is None:
        return InputError(f"{executable} is no Python of version 3.8 or newer.", hint=_HINT)
    said = finished.stderr.decode("utf-8", "replace").strip().splitlines()
    why = said[-1] if said else f"exit status {finished.returncode}"
    return InputError(f"{executable} could not describe its environment: {why}.", hint=_HINT)

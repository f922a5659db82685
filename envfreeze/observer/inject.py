"""Brings the agent into every Python of the command, by ``PYTHONPATH``, and the shim into every program.

The shim is preloaded (``LD_PRELOAD``, ld.so(8)). The loader ignores it for set-user-ID programs, and static
binaries have no loader: what those read is not seen.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from envfreeze.determinism._force import text_for_agent
from envfreeze.determinism._kernels import KERNELS
from envfreeze.observer import tapes
from envfreeze.records.settings import Setting, Strictness

AGENT = Path(__file__).parent / "agent"
_FILES = ("sitecustomize.py", "envfreeze_*.py")
"""Patterns of the files that make up the agent."""

SETTINGS = "settings.txt"
"""Name of the file beside the agent that says which settings to put in force."""

LOST = "lost"
"""Name of the file below ``events_folder`` whose first byte is set when a process could not report all."""

SHIM = Path(__file__).parent / "shim" / "libenvfreeze-shim.so"
"""Compiled when the wheel is made; not there when that machine had no C compiler."""


SWITCH = "ENVFREEZE_SHIM"
"""A variable of envfreeze itself: ``off`` leaves the shim out, as on a machine that cannot load it."""


def shim() -> Path | None:
    """The shim, when there is one and programs of this machine load it without a word.

    With another C library or architecture the loader prints an error into the command's output.
    """
    if os.environ.get(SWITCH) == "off":
        return None
    return SHIM if _is_loadable(SHIM) else None


def kernels() -> Path | None:
    """The library of the profile portable, on the same conditions."""
    return KERNELS if _is_loadable(KERNELS) else None


def _is_loadable(library: Path) -> bool:
    probe = shutil.which("true")
    if not library.is_file() or re.search(r"[\s:]", str(library)) or probe is None:
        return False
    try:
        done = subprocess.run([probe], env={"LD_PRELOAD": str(library)}, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0 and not done.stderr


def events_folder(folder: Path) -> Path:
    """Where the agents report, below the folder given to ``inject``."""
    return folder / "events"


def tapes_folder(folder: Path) -> Path:
    """Where the shim keeps tapes, below the folder given to ``inject``; made only when they are wanted."""
    return folder / "tapes"


def notes_folder(folder: Path) -> Path:
    """Where the agents and the shim write what came of settings, below the folder given to ``inject``."""
    return folder / "notes"


def copy_agent(folder: Path) -> None:
    """Copy the agent, so that its folder on ``PYTHONPATH`` holds nothing else that could be imported.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir()
    for path in (path for pattern in _FILES for path in AGENT.glob(pattern)):
        shutil.copyfile(path, folder / path.name)


def settings_variables(
    settings: Sequence[Setting], agent: Path, notes: str, *, seen_as: str = ""
) -> dict[str, str]:
    """Write the settings beside the agent; return the variables that make it put them in force.

    Args:
        notes: the folder that what came of it is written to, as the command sees it.
        seen_as: path of the agent as the command sees it, when it is another.

    Raises:
        OSError: the folder cannot be written.
    """
    (agent / SETTINGS).write_text(text_for_agent(settings))
    return {"ENVFREEZE_SETTINGS": f"{seen_as or agent}/{SETTINGS}", "ENVFREEZE_SETTINGS_NOTES": notes}


def strict_variables(strict: Strictness, notes: str, *, network: bool = True) -> dict[str, str]:
    """What makes the shim give randomness from a seed and a clock of its own (``shim/strict.c``).

    Args:
        notes: an existing folder that the shim may write to, as the command sees it.
        network: libraries for encryption get real randomness and times.
    """
    variables = {
        "ENVFREEZE_TAPE": "seeded",
        "ENVFREEZE_SEED": str(strict.seed),
        "ENVFREEZE_HOLD": ",".join(strict.hold) or "nothing",
        "ENVFREEZE_TAPES": notes,
        **tapes.first_process(),
    }
    return variables | {"ENVFREEZE_TAPE_KEYS": "real"} if network else variables


def inject(
    environment: Mapping[str, str],
    *,
    folder: Path,
    project: Path,
    tape_limit: int | None = None,
    settings: Sequence[Setting] = (),
    strict: Strictness | None = None,
    portable: bool = False,
) -> dict[str, str]:
    """The command's environment with the agent in it; ``folder`` is for the agent and its reports.

    With ``tape_limit``, in bytes, randomness and times are taped below ``tapes_folder(folder)``, by the shim
    and by the agent where the shim is not. With ``portable`` the library that answers MKL is preloaded too.
    A folder with a colon in its name cannot be in ``PYTHONPATH``: then the run is not seen from inside.

    Raises:
        OSError: the folder cannot be written.
    """
    agent = folder / "agent"
    copy_agent(agent)
    events_folder(folder).mkdir()
    (events_folder(folder) / LOST).write_bytes(bytes(4096))
    notes_folder(folder).mkdir()
    changed = dict(environment)
    projects = {os.fspath(project): None, os.path.realpath(project): None}
    changed["ENVFREEZE_AGENT"] = str(events_folder(folder))
    changed["ENVFREEZE_PROJECT"] = "\n".join(projects)
    if os.pathsep not in str(agent):
        # An empty PYTHONPATH counts as unset, while an empty entry means the current folder.
        given = environment.get("PYTHONPATH", "")
        changed["PYTHONPATH"] = f"{agent}{os.pathsep}{given}" if given else str(agent)
    if settings or tape_limit is not None:  # without any, the warnings of libraries are noted
        changed |= settings_variables(settings, agent, str(notes_folder(folder)))
    if portable and (answers := kernels()):
        _preload(changed, answers)
    if library := shim():
        _preload(changed, library)
        if strict is not None:
            changed |= strict_variables(strict, str(notes_folder(folder)))
    if tape_limit is not None and strict is None:
        changed |= tapes.prepare(tapes_folder(folder), limit=tape_limit)
        changed["ENVFREEZE_TAPE_ROOT"] = changed["ENVFREEZE_PROJECT"]
    return changed


def _preload(variables: dict[str, str], library: Path) -> None:
    preloaded = variables.get("LD_PRELOAD", "")
    variables["LD_PRELOAD"] = f"{library}:{preloaded}" if preloaded else str(library)

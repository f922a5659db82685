"""Brings the agent into every Python of the command, by ``PYTHONPATH``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

AGENT = Path(__file__).parent / "agent"
_FILES = ("sitecustomize.py", "envfreeze_agent.py", "envfreeze_agent_report.py")


def events_folder(folder: Path) -> Path:
    """Where the agents report, below the folder given to ``inject``."""
    return folder / "events"


def inject(environment: Mapping[str, str], *, folder: Path, project: Path) -> dict[str, str]:
    """The command's environment with the agent in it; ``folder`` is for the agent and its reports.

    The agent is copied, so that its folder on ``PYTHONPATH`` holds nothing else that could be imported.
    A folder with a colon in its name cannot be in ``PYTHONPATH``: then the run is not seen from inside.

    Raises:
        OSError: the folder cannot be written.
    """
    agent = folder / "agent"
    agent.mkdir()
    events_folder(folder).mkdir()
    for name in _FILES:
        shutil.copyfile(AGENT / name, agent / name)
    changed = dict(environment)
    if os.pathsep in str(agent):
        return changed
    projects = {os.fspath(project): None, os.path.realpath(project): None}
    # An empty PYTHONPATH counts as unset, while an empty entry means the current folder.
    given = environment.get("PYTHONPATH", "")
    changed["PYTHONPATH"] = f"{agent}{os.pathsep}{given}" if given else str(agent)
    changed["ENVFREEZE_AGENT"] = str(events_folder(folder))
    changed["ENVFREEZE_PROJECT"] = "\n".join(projects)
    return changed

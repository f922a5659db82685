"""What the workflows for continuous integration share."""

from __future__ import annotations

import json
import shlex

from envfreeze.repository import Repository

PYTHON = "3.12"
"""envfreeze's own; the project's Python is not needed for this check."""


def commands(repository: Repository) -> tuple[str, str]:
    """Installing envfreeze and the check, each as a JSON string, which YAML takes as it is.

    Only what a fresh clone has is looked at: no package of the project is installed there.
    """
    return (
        json.dumps(f"python -m pip install {shlex.quote(repository.install)}"),
        json.dumps(f"envfreeze status --only files,requirements -- {shlex.quote(repository.lock)}"),
    )


def hint(repository: Repository) -> str:
    """What to look after."""
    return f"the workflow installs {repository.install}; another source of envfreeze: init --install SPEC"

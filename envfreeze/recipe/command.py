"""A recorded command as it is called inside of an image, where the original's interpreter does not lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

_PYTHON = re.compile(r"(python|pypy)[0-9.]*")
_OF_EVERY_SYSTEM = ("/bin", "/usr/bin", "/sbin", "/usr/sbin")


def portable(command: Sequence[str]) -> tuple[str, ...]:
    """The command with its program found by name when it named an interpreter or script of an environment.

    ``/home/me/.venv/bin/python train.py`` and ``.venv/bin/python train.py`` become ``python train.py``, and
    ``/opt/conda/bin/accelerate`` becomes ``accelerate``. ``/bin/sh`` and the project's ``./run.sh`` stay.
    """
    if not command:
        return ("python",)
    program = PurePosixPath(command[0])
    folder = str(program.parent)
    is_python = bool(_PYTHON.fullmatch(program.name)) and "/" in command[0]
    of_environment = program.is_absolute() and program.parent.name == "bin" and folder not in _OF_EVERY_SYSTEM
    return (program.name if is_python or of_environment else command[0], *command[1:])

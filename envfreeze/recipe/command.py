"""A recorded command as it is called inside of an image, where the original's interpreter does not lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

_PYTHON = re.compile(r"(python|pypy)[0-9.]*")
_RUNNERS: dict[str, tuple[str, frozenset[str]]] = {
    "uv": ("run", frozenset({"-p", "--python", "--with", "--extra", "--group", "--project", "--index"})),
    "poetry": ("run", frozenset()),
    "pdm": ("run", frozenset({"-p", "--project"})),
    "pipenv": ("run", frozenset()),
    "hatch": ("run", frozenset()),
    "rye": ("run", frozenset()),
    "conda": ("run", frozenset({"-n", "--name", "-p", "--prefix"})),
    "mamba": ("run", frozenset({"-n", "--name", "-p", "--prefix"})),
    "micromamba": ("run", frozenset({"-n", "--name", "-p", "--prefix"})),
    "pixi": ("run", frozenset({"-e", "--environment", "--manifest-path"})),
}
"""Programs that find an environment and run a command in it: subcommand, and options that take a word.

Sources: ``uv help run``, ``conda run --help``, and the like of each.
"""
_FLAGS = frozenset(
    {"--offline", "--frozen", "--locked", "--isolated", "--no-sync", "--no-dev", "--active", "--all-extras",
     "--quiet", "-q", "--no-project", "--no-capture-output", "--live-stream"}
)  # fmt: skip
"""Their options that take none."""
_OF_EVERY_SYSTEM = ("/bin", "/usr/bin", "/sbin", "/usr/sbin")


def portable(command: Sequence[str]) -> tuple[str, ...]:
    """The command with its program found by name when it named an interpreter or script of an environment.

    ``/home/me/.venv/bin/python train.py`` and ``.venv/bin/python train.py`` become ``python train.py``, and
    ``/opt/conda/bin/accelerate`` becomes ``accelerate``. ``/bin/sh`` and the project's ``./run.sh`` stay.
    """
    command = unwrapped(command)
    if not command:
        return ("python",)
    program = PurePosixPath(command[0])
    folder = str(program.parent)
    is_python = bool(_PYTHON.fullmatch(program.name)) and "/" in command[0]
    of_environment = program.is_absolute() and program.parent.name == "bin" and folder not in _OF_EVERY_SYSTEM
    return (program.name if is_python or of_environment else command[0], *command[1:])


def unwrapped(command: Sequence[str]) -> tuple[str, ...]:
    """The command without a program that only finds its environment: a replay is in that environment already.

    ``uv run --frozen train.py`` becomes ``python train.py``, ``conda run -n ml python train.py`` becomes
    ``python train.py``. With an option that is not known here, the command stays as it is.
    """
    name = PurePosixPath(command[0]).name if command else ""
    subcommand, with_word = _RUNNERS.get(name, ("", frozenset[str]()))
    words = list(command[1:])
    if not subcommand or words[:1] != [subcommand]:
        return tuple(command)
    del words[0]
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option == "--":
            break
        if name == "uv" and option in {"-m", "--module"}:
            return ("python", "-m", *words)
        if option in with_word:
            del words[:1]
        elif option not in _FLAGS and option.partition("=")[0] not in with_word:
            return tuple(command)
    if not words:
        return tuple(command)
    # uv runs a file that ends in .py with Python itself.
    return ("python", *words) if name == "uv" and words[0].endswith(".py") else tuple(words)

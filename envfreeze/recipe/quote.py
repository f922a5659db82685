"""Strings from a lock as parts of a Dockerfile, none of which can end the part that they are in.

Grammar: https://docs.docker.com/reference/dockerfile/ (escapes, variables, exec form).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

from envfreeze.errors import InputError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def double(text: str) -> str:
    r"""A value of ENV or LABEL: in double quotes, with ``\``, ``"`` and ``$`` escaped.

    Raises:
        InputError: the text has control characters, for which Dockerfiles have no escape.
    """
    if not _printable(text):
        raise InputError(f"{text!r} has control characters, which a Dockerfile cannot hold.")
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'


def is_variable(name: str, value: str) -> bool:
    """True when ENV can set this variable to this value."""
    return bool(_VARIABLE.fullmatch(name)) and _printable(value)


def exec_form(command: Sequence[str]) -> str:
    """A JSON array, which no shell and no variable touches; ASCII only, so without line ends of any kind."""
    return json.dumps([text.encode("utf-8", "replace").decode() for text in command])


def comment(text: str) -> str:
    """The text on one line, for behind a ``#``."""
    return "".join(char if _printable(char) else " " for char in text).strip()


def shell(command: Sequence[str]) -> str:
    """A command for a person to paste, on one line."""
    return comment(shlex.join(command))


def _printable(text: str) -> bool:
    return all(char == " " or char.isprintable() for char in text)

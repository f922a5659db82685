"""What the sources share: files read with a sentence for each way in which they can be wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from envfreeze.errors import InputError

MAX_SIZE = 64 << 20
"""Bytes; lock files of large projects have a few million."""


def text(path: Path) -> str:
    """The whole text.

    Raises:
        InputError: it cannot be read, or is no text.
    """
    try:
        if path.stat().st_size > MAX_SIZE:
            raise InputError(f"{path} is larger than {MAX_SIZE >> 20} MiB, so it is no such file.")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None


def toml(path: Path) -> dict[str, Any]:
    """A TOML file's table; raises InputError as ``text`` does."""
    try:
        return tomllib.loads(text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not readable as TOML: {error}.") from None


def yaml(path: Path) -> dict[str, Any]:
    """A YAML file's mapping; raises InputError as ``text`` does."""
    import yaml as library

    try:
        content = library.load(text(path), Loader=library.CSafeLoader)
    except (library.YAMLError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        line = f" line {place.line + 1}" if place else ""
        raise InputError(f"{path}{line} is not readable as YAML.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is no mapping of names to values.")
    return content


def tables(value: Any) -> list[dict[str, Any]]:
    """The tables of a list, and nothing else that may stand there."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def table(value: Any) -> dict[str, Any]:
    """The table, or an empty one."""
    return value if isinstance(value, dict) else {}

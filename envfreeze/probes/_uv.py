"""Where uv takes packages from: its variables and configuration files.

Source: https://docs.astral.sh/uv/concepts/configuration-files/ and …/concepts/indexes/ (files, their order,
names and credentials of indexes), …/reference/environment/ (variables). Variables count for more than files,
the project for more than the user, the user for more than the system.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from envfreeze.records.base import Record

_OF_ALL_USERS = Path("/etc/uv/uv.toml")


class UvConfiguration(Record):
    """What uv would ask, credentials included: never for a record."""

    index: str | None = None
    """The default index; None when it is PyPI."""
    extra_indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def uv_configuration(environment: Mapping[str, str], project: Path) -> UvConfiguration:
    """Merge the variables and files that uv would read in this project."""
    tables, read, unreadable = [], [], []
    for path in () if environment.get("UV_NO_CONFIG") else _files(environment, project):
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            unreadable.append(str(path))
            continue
        table = content.get("tool", {}).get("uv") if path.name == "pyproject.toml" else content
        if isinstance(table, dict):
            tables.append(table)
            read.append(str(path))
    defaults: list[str] = []
    extras: list[str] = []
    links: list[str] = []
    for index, more, folders in (_of_variables(environment), *map(_of_table, tables)):
        defaults += index
        extras += more
        links += folders
    return UvConfiguration(
        index=_with_credentials(defaults[0], environment) if defaults else None,
        extra_indexes=tuple(dict.fromkeys(_with_credentials(url, environment) for url in extras)),
        find_links=tuple(dict.fromkeys(links)),
        files=tuple(read),
        unreadable=tuple(unreadable),
    )


_Places = tuple[list[str], list[str], list[str]]
"""Default index, further indexes (as ``url`` or ``name=url``), folders and pages."""


def _of_variables(environment: Mapping[str, str]) -> _Places:
    def words(name: str, separator: str | None = None) -> list[str]:
        return [word for word in environment.get(name, "").split(separator) if word]

    return (
        words("UV_DEFAULT_INDEX") + words("UV_INDEX_URL"),
        words("UV_INDEX") + words("UV_EXTRA_INDEX_URL"),
        words("UV_FIND_LINKS", ","),
    )


def _of_table(table: Mapping[str, Any]) -> _Places:
    """``[[index]]``, and the older ``index-url``, ``extra-index-url`` and ``find-links``, or ``[pip]``'s."""
    default: list[str] = []
    extra: list[str] = []
    links: list[str] = []
    for entry in _list(table, "index"):
        if isinstance(entry, dict) and isinstance(entry.get("url"), str):
            named = f"{entry['name']}={entry['url']}" if entry.get("name") else entry["url"]
            (default if entry.get("default") is True else extra).append(named)
    below = table.get("pip")
    for part in (table, below if isinstance(below, dict) else {}):
        default += [url for url in [part.get("index-url")] if isinstance(url, str)]
        extra += [url for url in _list(part, "extra-index-url") if isinstance(url, str)]
        links += [url for url in _list(part, "find-links") if isinstance(url, str)]
    return default, extra, links


def _list(table: Mapping[str, Any], key: str) -> list[Any]:
    value = table.get(key)
    return value if isinstance(value, list) else []


def _with_credentials(named: str, environment: Mapping[str, str]) -> str:
    """The address of ``name=url`` with ``UV_INDEX_<NAME>_USERNAME`` and ``…_PASSWORD``."""
    match = re.fullmatch(r"([A-Za-z0-9._-]+)=(.+)", named)
    if match is None:
        return named.rstrip("/")
    prefix = f"UV_INDEX_{re.sub(r'[^A-Za-z0-9]', '_', match[1]).upper()}"
    user, password = (environment.get(f"{prefix}_{part}", "") for part in ("USERNAME", "PASSWORD"))
    url = match[2].rstrip("/")
    parts = urlsplit(url)
    if not (user or password) or "@" in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=f"{quote(user, '')}:{quote(password, '')}@{parts.netloc}"))


def _files(environment: Mapping[str, str], project: Path) -> Iterator[Path]:
    """Configuration files that are there, the strongest first."""
    if chosen := environment.get("UV_CONFIG_FILE"):
        yield Path(chosen)
        return
    for folder in (project, *project.parents):
        found = next((path for name in _OF_A_PROJECT if _is_of_uv(path := folder / name)), None)
        if found:
            yield found
            break
    home = Path(environment.get("HOME") or Path.home())
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"
    folders = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    of_all = next(
        (
            path
            for path in (*(Path(folder, "uv", "uv.toml") for folder in folders), _OF_ALL_USERS)
            if path.is_file()
        ),
        None,
    )
    yield from (path for path in (user, of_all) if path is not None and path.is_file())


_OF_A_PROJECT = ("uv.toml", "pyproject.toml")
"""``uv.toml`` hides ``[tool.uv]`` of the same folder."""


def _is_of_uv(path: Path) -> bool:
    """A ``pyproject.toml`` counts only with a ``[tool.uv…]`` table."""
    try:
        return path.is_file() and (path.name == "uv.toml" or "tool.uv" in path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return False

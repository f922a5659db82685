"""What a project asks of comparisons, in ``[tool.envfreeze.compare]`` of its ``pyproject.toml``.

::

    [tool.envfreeze.compare]
    rtol = 1e-6

    [tool.envfreeze.compare.paths."results/*.csv"]
    rtol = 1e-4
    atol = 1e-8
    order-insensitive = ["id"]

    [tool.envfreeze.compare.paths."logs/**"]
    ignore = "timings of the cluster"

A pattern is matched against the output's path: ``*`` within a folder's name, ``**`` across folders; the
last that
matches decides. What is ignored is still listed, with the reason given here, and is never called equal.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from envfreeze.compare import Options, PathRule
from envfreeze.errors import InputError

_PLACE = "[tool.envfreeze.compare]"
_MAX_SIZE = 4 << 20


class _Section(msgspec.Struct, forbid_unknown_fields=True, rename="kebab"):
    rtol: float | None = None
    atol: float | None = None
    ignore: str | None = None
    order_insensitive: tuple[str, ...] = ()


class _Policy(msgspec.Struct, forbid_unknown_fields=True):
    rtol: float | None = None
    atol: float | None = None
    paths: dict[str, _Section] = {}


def with_policy(options: Options, folder: Path) -> Options:
    """The options, completed by the project's own; what the options say already goes before it.

    Raises:
        InputError: the file is no TOML, or the section holds something else.
    """
    path = folder / "pyproject.toml"
    section = _section(path)
    if section is None:
        return options
    policy = _convert(section, path)
    given = options.rtol is not None or options.atol is not None
    rules = [PathRule(pattern="**", rtol=policy.rtol, atol=policy.atol)]
    rules += [
        PathRule(
            pattern=pattern,
            rtol=found.rtol,
            atol=found.atol,
            ignore=found.ignore or "",
            order_insensitive=found.order_insensitive,
        )
        for pattern, found in policy.paths.items()
    ]
    if given:
        rules = [replace(rule, rtol=None, atol=None) for rule in rules]
    return replace(options, rules=tuple(rules))


def for_path(options: Options, path: str) -> tuple[Options, str]:
    """The options for one output, and why it is ignored (empty when it is not)."""
    ignore, chosen = "", options
    for rule in options.rules:
        if _pattern(rule.pattern).fullmatch(path):
            ignore = rule.ignore
            if rule.rtol is not None or rule.atol is not None:
                chosen = replace(chosen, rtol=rule.rtol, atol=rule.atol)
            if rule.order_insensitive:
                chosen = replace(chosen, order_insensitive=rule.order_insensitive)
    return chosen, ignore


def _section(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_SIZE:
            return None
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no TOML: {error}.") from None
    tool = document.get("tool")
    own = tool.get("envfreeze") if isinstance(tool, dict) else None
    return own.get("compare") if isinstance(own, dict) else None


def _convert(section: Any, path: Path) -> _Policy:
    try:
        policy = msgspec.convert(section, _Policy)
    except msgspec.ValidationError as error:
        raise InputError(f"{_PLACE} in {path}: {error}.") from None
    sections: list[tuple[str, _Policy | _Section]] = [("", policy), *policy.paths.items()]
    for where, found in sections:
        for name, value in (("rtol", found.rtol), ("atol", found.atol)):
            if value is not None and not 0 <= value < float("inf"):
                place = f" for {where!r}" if where else ""
                raise InputError(f"{_PLACE} in {path}: {name}{place} must be a number ≥ 0, not {value}.")
        if isinstance(found, _Section) and found.ignore is not None and not found.ignore.strip():
            raise InputError(f"{_PLACE} in {path}: ignore for {where!r} must say why.")
    return policy


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    parts = (
        {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
        for part in re.split(r"(\*\*/|\*\*|\*|\?)", text)
    )
    return re.compile("".join(parts), re.DOTALL)

"""What a file is to a run, by the rules of ``classes.toml`` and of the project's ``pyproject.toml``."""

from __future__ import annotations

import functools
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from envfreeze.errors import InputError
from envfreeze.observer.patterns import compiled

RULES = Path(__file__).with_name("classes.toml")

DOWNLOAD = "download"
"""Class of what a run fetched; as a rule, the places where that may lie."""

CLASSES = (
    "code", "data", "configuration", "weights", "cache", "temporary", "system", "interpreter", "package",
    "secret", "resource", DOWNLOAD,
)  # fmt: skip
"""What rules may name."""

KEPT = frozenset({"code", "data", "configuration", "weights"})
"""Files outside of the project are kept with a run when they are of these classes."""

Rule = tuple[str, tuple[str, ...]]
"""A class and its patterns."""


class Classes:
    """Rules in order, the project's own first."""

    def __init__(self, own: Sequence[Rule] = (), environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment

        def matchers(rules: Iterable[Rule]) -> list[tuple[str, _Matcher]]:
            return [(kind, _Matcher(_expanded(patterns, environment))) for kind, patterns in rules]

        everything = matchers((*own, *shipped()))
        self._downloads = [matcher for kind, matcher in everything if kind == DOWNLOAD]
        self._own = [rule for rule in everything[: len(own)] if rule[0] != DOWNLOAD]
        self._shipped = [rule for rule in everything[len(own) :] if rule[0] != DOWNLOAD]
        self._known: dict[str, str] = {}

    def own(self, path: str) -> str | None:
        """The class that the project itself gives to a path; None when it says nothing of it."""
        return next((kind for kind, matcher in self._own if matcher(path)), None)

    def __call__(self, path: str) -> str:
        """The class of a path, relative to the project or absolute."""
        found = self._known.get(path)
        if found is None:
            found = self.own(path) or next((kind for kind, matcher in self._shipped if matcher(path)), "data")
            self._known[path] = found
        return found

    def may_be_download(self, path: str) -> bool:
        """True where programs put what they fetch."""
        return any(matcher(path) for matcher in self._downloads)

    def is_secret(self, path: str) -> bool:
        """True for what is never stored."""
        return self(path) == "secret"


class _Matcher:
    """Whether one of some patterns means a path; names are compared without regard to case."""

    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = list(patterns)
        self._names = _joined(pattern.lower() for pattern in patterns if "/" not in pattern)
        self._paths = _joined(pattern for pattern in patterns if "/" in pattern)

    def __call__(self, path: str) -> bool:
        if self._names and self._names.match(path.rpartition("/")[2].lower()):
            return True
        return bool(self._paths and self._paths.match(path))


def _joined(patterns: Iterable[str]) -> re.Pattern[str] | None:
    parts = [f"(?:{compiled(pattern).pattern})" for pattern in patterns]
    return re.compile("|".join(parts), re.DOTALL) if parts else None


@functools.cache
def shipped() -> tuple[Rule, ...]:
    """The rules of ``classes.toml``."""
    with RULES.open("rb") as stream:
        content = tomllib.load(stream)
    downloads = (DOWNLOAD, tuple(content["downloads"]["match"]))
    return (downloads, *((rule["class"], tuple(rule["match"])) for rule in content["rules"]))


@functools.cache
def plain() -> Classes:
    """The shipped rules alone."""
    return Classes()


_VARIABLE = re.compile(r"\$([A-Z_][A-Z0-9_]*)")


def _expanded(patterns: Iterable[str], environment: Mapping[str, str]) -> Iterator[str]:
    """Patterns with ``~`` and variables filled in, and again with the links of these resolved."""
    home = environment.get("HOME", "").rstrip("/")
    known = {name: value.rstrip("/") for name, value in environment.items() if value.startswith("/")}
    if home:
        known.setdefault("XDG_CACHE_HOME", f"{home}/.cache")
    for pattern in patterns:
        found = _VARIABLE.match(pattern)
        if found is None and not pattern.startswith("~/"):
            yield pattern
            continue
        root = home if found is None else known.get(found[1], "")
        rest = pattern[1:] if found is None else pattern[found.end() :]
        for place in dict.fromkeys((root, os.path.realpath(root) if root else "")):
            if place.strip("/"):
                yield _literal(place) + rest


def _literal(path: str) -> str:
    """A path as a pattern that means just it."""
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", path)


def load(project: Path, environment: Mapping[str, str]) -> Classes:
    """The shipped rules, and before them ``[tool.envfreeze.classes]`` of the project's ``pyproject.toml``.

    Raises:
        InputError: that table is not one of classes and lists of patterns.
    """
    return Classes(_own_rules(project / "pyproject.toml"), environment)


def _own_rules(path: Path) -> list[Rule]:
    try:
        with path.open("rb") as stream:
            content: dict[str, Any] = tomllib.load(stream)
    except OSError:
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return []  # whoever needs that file will say so; a run that does not is none of our business
    table = content.get("tool", {})
    for name in ("envfreeze", "classes"):
        table = table.get(name, {}) if isinstance(table, dict) else {}
    where = f"{path}: [tool.envfreeze.classes]"
    if not isinstance(table, dict):
        raise InputError(f"{where} has to be a table of classes.")
    rules = []
    for kind, patterns in table.items():
        if kind not in CLASSES:
            raise InputError(f"{where} names the class {kind!r}.", hint=f"Classes are: {', '.join(CLASSES)}.")
        if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
            raise InputError(f"{where}: {kind} has to be a list of patterns, such as ['*.csv'].")
        rules.append((kind, tuple(patterns)))
    return rules

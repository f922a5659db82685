"""Hyperparameters of a run: what the agents reported, and configuration files that it read; no secrets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from envfreeze.observer.environment import split
from envfreeze.observer.events import Events
from envfreeze.observer.sensitive import looks_secret
from envfreeze.records.files import FileEntry, Gap
from envfreeze.records.observation import Parameter
from envfreeze.redact import url_without_credentials
from envfreeze.store import Store

MOST = 2000
"""Parameters of a run that are kept."""
LONGEST = 1000
"""Characters of a value that are kept."""
LARGEST_FILE = 64 << 10
"""Bytes of a configuration file."""
MOST_LEAVES = 200
"""Values of a configuration file; one with more is data."""
_DEEPEST = 12

MASKED = "(not kept: looks secret)"
SET, NOT_SET = "(set, value not kept)", "(not set)"

_NO_CONFIGURATION = frozenset(
    {"pyproject.toml", "package.json", "package-lock.json", "tox.ini", "pytest.ini", "mypy.ini", "Pipfile",
     "setup.ini", "tsconfig.json", "composer.json", "uv.toml", "ruff.toml"}
)  # fmt: skip
"""Files of tools, by their names."""

Source = Literal["given", "file", "environment", "default"]


def parameters_of(
    events: Events, files: Iterable[FileEntry], *, project: Path, environment: Mapping[str, str], store: Store
) -> tuple[tuple[Parameter, ...], tuple[Gap, ...]]:
    """All parameters, ordered by owner and name, and what is missing of them.

    Args:
        files: the recorded inputs; those that are configuration files are read from ``store``.
        environment: the variables that the command ran with.
    """
    found: dict[tuple[str, ...], Parameter] = {}

    def add(parameter: Parameter) -> None:
        key = (parameter.owner, parameter.name, parameter.value, parameter.source)
        if key not in found or not found[key].origin:
            found[key] = parameter

    for owner, name, value, source, origin in events.parameters:
        if source in get_args(Source):
            add(_harmless(owner, name, value, source, origin))
    for parameter in (*_variables(events, environment), *_configuration(events, files, project, store)):
        add(parameter)
    ordered = sorted(found.values(), key=msgspec.structs.astuple)
    gaps = []
    if len(ordered) > MOST:
        why = f"the run has {len(ordered)} or more, of which the first {MOST} by name are kept"
        gaps.append(Gap(what="some hyperparameters", why=why))
    if events.parameter_errors:
        why = f"watching for them failed {events.parameter_errors} times, first at {events.parameter_error}"
        gaps.append(Gap(what="some hyperparameters", why=_text(why)[:LONGEST]))
    return tuple(ordered[:MOST]), tuple(gaps)


def _variables(events: Events, environment: Mapping[str, str]) -> Iterator[Parameter]:
    values, _ = split(environment)
    for name, is_set, place in events.variables:
        value = json.dumps(values[name], ensure_ascii=False) if name in values else SET
        if not is_set:
            value = NOT_SET
        origin = f"read in {place}" if place else ""
        yield _harmless("environment", name, value, "environment" if is_set else "default", origin)


def _configuration(
    events: Events, files: Iterable[FileEntry], project: Path, store: Store
) -> Iterator[Parameter]:
    opened = {os.path.normpath(path) for path in events.read}
    written = {os.path.normpath(path) for path in events.written}
    roots = {os.fspath(project), os.path.realpath(project)}
    for entry in files:
        suffix = f".{entry.path.rpartition('.')[2]}".lower()
        if suffix not in _READERS:
            continue
        places = {f"{root}/{entry.path}" for root in roots}
        if (
            entry.sha256 is not None
            and entry.size <= LARGEST_FILE
            and not entry.path.startswith("/")
            and Path(entry.path).name not in _NO_CONFIGURATION
            and not looks_secret(entry.path)
            and places & opened
            and not places & written
            and entry.sha256 in store
        ):
            yield from _of_file(entry.path, _READERS[suffix], store.path(entry.sha256))


def _of_file(path: str, read: Callable[[str], Any], stored: Path) -> Iterator[Parameter]:
    try:
        content = read(stored.read_text(encoding="utf-8"))
    except Exception:
        return  # no configuration in this format, whatever its name says
    if not isinstance(content, dict):
        return
    leaves = []
    for leaf in _leaves(content, "", 0):
        leaves.append(leaf)
        if len(leaves) > MOST_LEAVES:
            return
    for name, value in leaves:
        yield _harmless(path, name, _json(value), "file", path)


def _leaves(content: dict[Any, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict) and value and depth < _DEEPEST:
            yield from _leaves(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", value


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return str(type(value).__name__)


def _yaml(text: str) -> Any:
    import yaml

    return yaml.load(text, Loader=yaml.CSafeLoader)


def _toml(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


def _ini(text: str) -> Any:
    import configparser

    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()} | dict(parser.defaults())


_READERS: dict[str, Callable[[str], Any]] = {
    ".yaml": _yaml,
    ".yml": _yaml,
    ".json": json.loads,
    ".toml": _toml,
    ".ini": _ini,
    ".cfg": _ini,
}

_ALWAYS_SECRET = re.compile(
    r"passw(or)?d|passphrase|passwd|secret|credential|api_?key|access_?key|private_?key|(^|_)auth($|_)|cookie"
)
_TOKEN = re.compile(r"(?<!pad)(?<!eos)(?<!bos)(?<!unk)(?<!cls)(?<!sep)(?<!mask)(^|_)token$")
"""A token of access, not one of text (``pad_token``)."""
_TOKEN_VALUE = re.compile(
    r"\b(hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|sk-[\w-]{20,}|AKIA[0-9A-Z]{16}"
    r"|xox[abpr]-[\w-]{10,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)"
)
"""How tokens of Hugging Face, GitHub, OpenAI, AWS, Slack, and JSON web tokens (RFC 7519) look."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,;|'\"\\]+")


def is_secret(name: str, value: Any) -> bool:
    """True for a value that must not be kept because of its name; ``max_tokens: 512`` is none."""
    if value is None or isinstance(value, bool):
        return False
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    words = re.sub(r"[^a-z0-9]+", "_", words.rpartition(".")[2])
    if _ALWAYS_SECRET.search(words):
        return True
    return bool(_TOKEN.search(words)) and isinstance(value, str)


def _harmless(owner: str, name: str, value: str, source: Source | str, origin: str) -> Parameter:
    """The parameter without secrets and without what cannot be written as text."""
    if value not in (SET, NOT_SET):
        try:
            content = json.loads(value)
        except (ValueError, RecursionError):
            content = value
        masked = _masked(name, content)
        if masked != content:
            value = masked if isinstance(masked, str) and masked == MASKED else _json(masked)
        value = _TOKEN_VALUE.sub(MASKED, value)
        value = _URL.sub(lambda match: url_without_credentials(match[0]), value)
    return Parameter(
        owner=_text(owner),
        name=_text(name),
        value=_short(_text(value)),
        source=msgspec.convert(source, Source),
        origin=_text(origin),
    )


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(str(key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(name, item) for item in value]
    return MASKED if is_secret(name, value) else value


def _short(value: str) -> str:
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"


def _text(value: str) -> str:
    return value.encode(errors="replace").decode()

"""Reads ``claims.yaml``: every fault is one sentence with file, line and column."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import yaml

from envfreeze.claims._expression import Truth
from envfreeze.claims._parse import ClaimError, parse
from envfreeze.errors import InputError
from envfreeze.records.base import Record
from envfreeze.records.claims import Claim

NAME = "claims.yaml"
MAX_SIZE = 1 << 20
MAX_CLAIMS = 1000
_FIELDS = ("id", "holds", "location", "text")


class Parsed(Record):
    """A claim with its parsed expression."""

    claim: Claim
    expression: Truth


def read(path: Path) -> tuple[Parsed, ...]:
    """The claims of a file, in its order.

    Raises:
        InputError: there is no such file, or it is not well formed.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is no file of claims.")
        data = path.read_bytes() if status.st_size <= MAX_SIZE else b""
    except FileNotFoundError:
        raise InputError(f"there is no {path}.", hint="See docs/verdicts.md for how to write one.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    if status.st_size > MAX_SIZE:
        raise InputError(f"{path} has {status.st_size} bytes; a file of claims is at most {MAX_SIZE}.")
    return loads(data, str(path))


def loads(data: bytes, name: str = NAME) -> tuple[Parsed, ...]:
    """The claims that ``data`` holds; ``name`` is for messages.

    Raises:
        InputError: it is not well formed.
    """
    try:
        text = data.decode("utf-8-sig")
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise _wrong(name, event.start_mark, "anchors and aliases (& and *) are not allowed here")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{name} line {line}: not UTF-8 text.") from None
    except yaml.MarkedYAMLError as error:
        raise _wrong(name, error.problem_mark, error.problem or "not readable as YAML") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{name} is not readable as YAML: {' '.join(str(error).split())[:200]}.") from None
    return _claims(node, name)


def _wrong(name: str, mark: Any, problem: str) -> InputError:
    place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return InputError(f"{name}{place}: {problem}.")


def _claims(node: yaml.Node | None, name: str) -> tuple[Parsed, ...]:
    example = "a file of claims starts with 'claims:' and a list"
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(name, node.start_mark if node else None, example)
    for key, _ in node.value:
        if key.value != "claims":
            raise _wrong(name, key.start_mark, f"{example}, and there is {key.value!r}"[:200])
    items = node.value[0][1] if node.value else node
    if not isinstance(items, yaml.SequenceNode) or not items.value:
        raise _wrong(name, items.start_mark, "'claims' must be a list with at least one claim")
    if len(items.value) > MAX_CLAIMS:
        raise _wrong(name, items.start_mark, f"there are more than {MAX_CLAIMS} claims")
    found: list[Parsed] = []
    seen: set[str] = set()
    for item in items.value:
        parsed = _claim(item, name)
        if parsed.claim.id in seen:
            raise _wrong(name, item.start_mark, f"the id {parsed.claim.id!r} is used twice")
        seen.add(parsed.claim.id)
        found.append(parsed)
    return tuple(found)


def _claim(item: yaml.Node, name: str) -> Parsed:
    if not isinstance(item, yaml.MappingNode):
        raise _wrong(name, item.start_mark, "a claim has at least 'id' and 'holds'")
    fields: dict[str, yaml.ScalarNode] = {}
    for key, value in item.value:
        if key.value not in _FIELDS or not isinstance(key, yaml.ScalarNode):
            known = ", ".join(_FIELDS)
            raise _wrong(
                name, key.start_mark, f"a claim has no field {str(key.value)[:40]!r}; it has {known}"
            )
        if key.value in fields:
            raise _wrong(name, key.start_mark, f"{key.value!r} is written twice")
        if not isinstance(value, yaml.ScalarNode) or not value.value.strip():
            raise _wrong(name, value.start_mark, f"{key.value!r} must be a text")
        fields[key.value] = value
    for needed in ("id", "holds"):
        if needed not in fields:
            raise _wrong(name, item.start_mark, f"this claim has no {needed!r}")
    claim = Claim(**{field: node.value.strip() for field, node in fields.items()})
    try:
        return Parsed(claim=claim, expression=parse(claim.holds))
    except ClaimError as error:
        raise _at(name, fields["holds"], claim, error) from None


def _at(name: str, node: yaml.ScalarNode, claim: Claim, error: ClaimError) -> InputError:
    """Line and column in the file, for a text of one line; else the place in the claim."""
    mark = node.start_mark
    one_line = node.style in (None, "'", '"') and node.end_mark.line == mark.line
    shift = error.place + (1 if node.style else 0) if one_line else 0
    inside = "" if one_line else f" (character {error.place + 1} of the claim)"
    place = f"line {mark.line + 1}, column {mark.column + 1 + shift}"
    return InputError(
        f"{name} {place}: claim {claim.id!r}: {error}{inside}.", hint=f"It says: {claim.holds[:200]}"
    )

"""A hook that refuses commits whose code, data or packages are not those of the lock."""

from __future__ import annotations

import re
import shlex
from typing import Any

from envfreeze.repository import MARK, Addition, Part, Plan, Repository, read

_ID = "envfreeze-status"
_CONFIG = ".pre-commit-config.yaml"

_SCRIPT = """\
#!/bin/sh
# {mark}. A commit is refused when code, data or packages are not those of the lock.
# To freeze anew: envfreeze freeze -- COMMAND. To commit nevertheless: git commit --no-verify
if ! command -v envfreeze > /dev/null; then
    echo "envfreeze is not on the PATH, so the lock was not checked" >&2
    exit 0
fi
exec envfreeze status --quiet -- {lock}
"""


def plan(repository: Repository) -> Plan:
    """An entry of pre-commit (https://pre-commit.com) where that is in use, else a hook of git."""
    config = repository.top / _CONFIG
    before = read(config)
    if before is not None:
        return _entry(repository, before)
    path = repository.hooks / "pre-commit"
    there = read(path)
    if there is None:
        script = _SCRIPT.format(mark=MARK, lock=shlex.quote(repository.lock))
        return Plan(additions=(Addition(path=path, text=script, executable=True),))
    if "envfreeze status" in there:
        return Plan()
    return Plan(hints=(f"{path} is yours: add to it: envfreeze status --quiet || exit 1",))


def _entry(repository: Repository, before: str) -> Plan:
    import yaml

    try:
        known = yaml.safe_load(before) or {}
        if any(hook.get("id") == _ID for repo in known.get("repos") or () for hook in repo.get("hooks", ())):
            return Plan()
        text = _with_entry(before, f"envfreeze status --quiet -- {shlex.quote(repository.lock)}")
        # Text is edited so that comments stay; what came of it must be the old list and one more.
        if text is None or not _is_one_more(known, yaml.safe_load(text)):
            raise ValueError
    except (yaml.YAMLError, AttributeError, TypeError, ValueError):
        return Plan(hints=(f"{_CONFIG} has a form of its own: add a local hook: envfreeze status --quiet",))
    return Plan(additions=(Addition(path=repository.top / _CONFIG, text=text),))


def _with_entry(text: str, command: str) -> str | None:
    """The text with a local hook at the end of the list ``repos``; None when that is not a plain list."""
    import json

    lines = text.splitlines(keepends=True)
    end = "\r\n" if "\r\n" in text else "\n"
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += end
    start = next((i for i, line in enumerate(lines) if re.match(r"repos:\s*(#.*)?$", line)), None)
    if start is None:
        return None
    items = [i for i in range(start + 1, len(lines)) if re.match(r"\s*- +\S", lines[i])]
    stop = next((i for i in range(start + 1, len(lines)) if re.match(r"[A-Za-z_]", lines[i])), len(lines))
    while stop > start + 1 and re.match(r"\s*(#.*)?$", lines[stop - 1]):
        stop -= 1
    indent = re.match(r" *", lines[items[0]])[0] if items and items[0] < stop else "  "  # type: ignore[index]
    entry = (
        "- repo: local",
        "  hooks:",
        f"    - id: {_ID}",
        "      name: the lock of envfreeze still fits",
        f"      entry: {json.dumps(command)}",
        "      language: system",
        "      pass_filenames: false",
        "      always_run: true",
    )
    lines[stop:stop] = [indent + line + end for line in entry]
    return "".join(lines)


def _is_one_more(before: dict[str, Any], after: dict[str, Any]) -> bool:
    old, new = list(before.get("repos") or ()), list(after.get("repos") or ())
    rest = [{key: value for key, value in item.items() if key != "repos"} for item in (before, after)]
    return new[:-1] == old and rest[0] == rest[1]


PART = Part(name="hook", summary="a commit is refused when lock and project have drifted apart", plan=plan)

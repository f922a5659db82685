"""``envfreeze.lock`` as a file: YAML that reads and diffs well, and is read as if a stranger had written it.

Written: one fact a line, sections in the order of the record, no aliases, the same bytes for the same lock.
Read: plain YAML only. Anchors and aliases (which can grow without bound), tags (which name types to make),
duplicate keys, deep nesting and oversized files are refused before anything is built from them.
"""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from envfreeze import files
from envfreeze.errors import InputError
from envfreeze.records.lock import SCHEMA_VERSION, Lock

NAME = "envfreeze.lock"
MAX_SIZE = 64 << 20
"""Bytes; far above any lock that was written, as long lists go to the store."""
MAX_DEPTH = 16

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From a schema version to the function that makes it the next one."""

_COMMENTS = {
    "run": "The run that was watched. Paths are relative to the project folder.",
    "interpreter": "The Python that ran.",
    "packages": "Installed distributions, each with the file that installs the same again.",
    "pip": "Where packages come from.",
    "conda": "The conda environment around the interpreter.",
    "system": "The operating system, and its packages whose libraries were loaded.",
    "cpu": "The processor decides which kernels numerical libraries pick, and so the last bits of results.",
    "cuda": "GPUs, driver and CUDA libraries.",
    "rocm": "AMD GPUs, driver and ROCm libraries.",
    "git": "Version control at the freeze.",
    "base": "What the Dockerfile starts from.",
    "claims": "What the paper says of the results; a replay is held against it.",
    "gaps": "What could not be captured: read this before trusting a replay.",
}


class _Inline(dict[str, Any]):
    """A mapping that is written on one line."""


class _Dumper(yaml.CSafeDumper):
    """Block style, without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_inline(dumper: yaml.CSafeDumper, data: _Inline) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)


_Dumper.add_representer(_Inline, _represent_inline)


def dumps(lock: Lock) -> bytes:
    """The lock as the bytes of its file."""
    content = msgspec.to_builtins(lock)
    for files_of_run in (content.get("run", {}).get(name, {}) for name in ("files", "outputs")):
        if "entries" in files_of_run:
            files_of_run["entries"] = [_Inline(entry) for entry in files_of_run["entries"]]
    if "parameters" in content.get("run", {}):
        content["run"]["parameters"] = [_Inline(item) for item in content["run"]["parameters"]]
    command = f" -- {shlex.join(lock.run.command)}" if lock.run else ""
    made_by = f"envfreeze freeze{command}".encode("unicode_escape").decode()
    parts = [
        f"# Made by: {made_by}\n"
        "# Commit this file. `envfreeze replay` repeats the run and compares; `envfreeze show` explains it.\n"
    ]
    for name, value in content.items():
        if name in _COMMENTS:
            parts.append(f"\n# {_COMMENTS[name]}\n")
        parts.append(
            yaml.dump({name: value}, Dumper=_Dumper, sort_keys=False, width=1 << 30, default_flow_style=False)
        )
    return "".join(parts).encode()


def write(lock: Lock, path: Path) -> None:
    """Write the lockfile whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    files.write(path, dumps(lock))


def locate(path: Path) -> Path:
    """The lockfile that ``path`` means: itself, or the one in that folder."""
    return path / NAME if path.is_dir() and path.name != NAME else path


def read(path: Path) -> Lock:
    """Read and check a lockfile.

    Raises:
        InputError: there is none, or it is not one; the sentence names file, line and field.
    """
    path = locate(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise InputError(f"{path} is {what}, so not a lock.", hint=_RESTORE)
        size = status.st_size
        data = path.read_bytes() if size <= MAX_SIZE else b""
    except FileNotFoundError:
        raise InputError(
            f"there is no {path}.", hint="Make one with: envfreeze freeze -- python train.py"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if size > MAX_SIZE:
        raise InputError(f"{path} has {size} bytes; a lock is at most {MAX_SIZE}.")
    return loads(data, str(path))


def loads(data: bytes, name: str = NAME) -> Lock:
    """The lock that ``data`` holds; ``name`` is for messages.

    Raises:
        InputError: see ``read``.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{name} line {line}: not UTF-8 text, so not a lock.") from None
    try:
        _refuse_dangerous(text, name)
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        _refuse_duplicates(node, name)
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = error.problem or "not readable as YAML"
        if "nesting depth" in problem:  # libyaml has a limit of its own since PyYAML 6.0.4
            problem = f"nested deeper than {MAX_DEPTH} levels; no lock is"
        raise InputError(f"{name} line {line}: {problem}.", hint=_RESTORE) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{name} is not readable as YAML: {problem}.", hint=_RESTORE) from None
    return _validate(content, node, name)


_RESTORE = "Restore the file from version control, or freeze again."


def _validate(content: Any, node: yaml.Node | None, name: str) -> Lock:
    version = content.get("envfreeze_lock") if isinstance(content, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        line = f"envfreeze_lock: {SCHEMA_VERSION}"
        raise InputError(f"{name} is not an envfreeze lock: it has no '{line}' line.", hint=_RESTORE)
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{name} line {_line(node, ['envfreeze_lock'])}: the lock was written by a newer envfreeze "
            f"(schema {version}, this one reads up to {SCHEMA_VERSION}).",
            hint="Upgrade with: pip install --upgrade envfreeze",
        )
    while version < SCHEMA_VERSION:
        content = MIGRATIONS[version](content)
        version += 1
    try:
        return msgspec.convert(content, Lock)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at ")
        path = re.findall(r"[^\.\[\]`$]+", where)
        field = ".".join(path).replace("...", "?")
        place = f"{name} line {_line(node, path)}"
        place += f", {field}" if field else ""
        raise InputError(f"{place}: {problem[:1].lower() + problem[1:]}.", hint=_RESTORE) from None


def _refuse_dangerous(text: str, name: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise InputError(f"{name} line {line}: anchors and aliases (& and *) are not allowed in a lock.")
        if tag := getattr(event, "tag", None):
            raise InputError(f"{name} line {line}: the tag {tag!r} is not allowed in a lock.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise InputError(f"{name} line {line}: nested deeper than {MAX_DEPTH} levels; no lock is.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_duplicates(node: yaml.Node | None, name: str) -> None:
    for mapping in _mappings(node):
        seen: set[str] = set()
        for key, _ in mapping.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InputError(f"{name} line {line}: a key must be a plain word.", hint=_RESTORE)
            if key.value in seen:
                raise InputError(f"{name} line {line}: {key.value!r} is written twice.", hint=_RESTORE)
            seen.add(key.value)


def _mappings(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value)


def _line(node: yaml.Node | None, path: list[str]) -> int:
    """Line of a field, or of the deepest part of its path that is there."""
    line = 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
        else:
            break
    return line

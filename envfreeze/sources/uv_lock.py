"""``uv.lock``: what ``uv sync`` installs, read without resolving anew.

Format: version 1, https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile. The packages are those
that are reached from the projects of the workspace by the edges whose markers hold, with the ``dev`` group.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from envfreeze.errors import InputError
from envfreeze.records.files import Gap
from envfreeze.sources import Contents, Machine, Pin, PinnedFile, Source
from envfreeze.sources._markers import holds
from envfreeze.sources._read import table, tables, toml

Entry = dict[str, Any]


def _recognises(path: Path) -> bool:
    return path.name == "uv.lock"


def _requires_python(path: Path) -> str:
    return str(toml(path).get("requires-python", ""))


def _read(path: Path, machine: Machine) -> Contents:
    content = toml(path)
    if content.get("version") != 1:
        raise InputError(
            f"{path} has version {content.get('version')!r}; this envfreeze reads version 1.",
            hint="Write it as a requirements file: uv export > requirements.txt",
        )
    entries = tables(content.get("package"))
    reached = _reached(entries, machine)
    pins = tuple(pin for entry in reached if (pin := _pin(entry)))
    left = tuple(_gap(entry) for entry in reached if _pin(entry) is None and not _is_project(entry))
    return Contents(pins=pins, gaps=left)


def _is_project(entry: Entry) -> bool:
    """A member of the workspace: its code is recorded as files."""
    return bool({"virtual", "editable"} & table(entry.get("source")).keys())


def _reached(entries: list[Entry], machine: Machine) -> list[Entry]:
    """Every entry that is wanted, by a walk along the edges; each extra of a package counts once."""
    todo: list[tuple[Entry, str]] = [(entry, "") for entry in entries if _is_project(entry)]
    seen: list[tuple[int, str]] = []
    while todo:
        entry, extra = todo.pop()
        if (id(entry), extra) in seen:
            continue
        seen.append((id(entry), extra))
        for edge in _edges(entry, extra):
            if holds(str(edge.get("marker", "")), machine):
                found = _entry(entries, edge, machine)
                todo += [(found, name) for name in ("", *map(str, edge.get("extra", [])))]
    wanted = {number for number, _ in seen}
    return [entry for entry in entries if id(entry) in wanted]


def _edges(entry: Entry, extra: str) -> Iterator[Entry]:
    if extra:
        yield from tables(table(entry.get("optional-dependencies")).get(extra))
        return
    yield from tables(entry.get("dependencies"))
    if _is_project(entry):
        yield from tables(table(entry.get("dev-dependencies")).get("dev"))


def _entry(entries: list[Entry], edge: Entry, machine: Machine) -> Entry:
    """The package that an edge means; version and source are there when the name alone does not tell."""
    found = [
        entry
        for entry in entries
        if entry.get("name") == edge.get("name")
        and edge.get("version", entry.get("version")) == entry.get("version")
        and edge.get("source", entry.get("source")) == entry.get("source")
    ]
    fitting = [
        entry
        for entry in found
        if not (markers := entry.get("resolution-markers")) or any(holds(str(m), machine) for m in markers)
    ]
    if not (fitting or found):
        raise InputError(
            f"uv.lock is not whole: it has no package {edge.get('name')!r}, which another needs."
        )
    return (fitting or found)[0]


def _pin(entry: Entry) -> Pin | None:
    """The pin of a package with files; None for what has none: projects, folders, version control."""
    source = table(entry.get("source"))
    files = [*tables(entry.get("wheels")), *tables([entry.get("sdist")])]
    if _is_project(entry) or not files:
        return None
    registry = str(source.get("registry", ""))
    address = str(source["url"]) if "url" in source else None
    found = tuple(_file(file, address) for file in files)
    return Pin(
        name=str(entry.get("name")),
        version=str(entry.get("version", "0")),
        sha256=tuple(file.sha256 for file in found if file.sha256),
        files=found,
        url=address,
        index=None if registry.rstrip("/") in {"", "https://pypi.org/simple"} else registry,
    )


def _file(file: Entry, address: str | None) -> PinnedFile:
    url = str(file.get("url") or address or "") or None
    name = str(
        file.get("filename") or unquote(urlsplit(url or str(file.get("path", ""))).path).rpartition("/")[2]
    )
    digest = str(file.get("hash", ""))
    return PinnedFile(
        file=name, sha256=digest.removeprefix("sha256:") if digest.startswith("sha256:") else None, url=url
    )


def _gap(entry: Entry) -> Gap:
    where = ", ".join(f"{key} {value}" for key, value in table(entry.get("source")).items())
    return Gap(
        what=f"{entry.get('name')} {entry.get('version', '')}".strip(),
        why=f"uv.lock takes it from {where or 'nowhere'}: freeze the installed environment to keep it",
    )


SOURCE = Source(name="uv.lock", recognises=_recognises, requires_python=_requires_python, read=_read)

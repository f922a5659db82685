"""``poetry.lock``: what ``poetry install`` installs, read without resolving anew.

Format: lock version 2, of Poetry 1.5 and newer. Poetry 2 says of each package when it is wanted; of older
files a package is taken unless all that need it do so by markers that do not hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envfreeze.errors import InputError
from envfreeze.records.files import Gap
from envfreeze.sources import Contents, Machine, Pin, PinnedFile, Source
from envfreeze.sources._markers import holds
from envfreeze.sources._read import table, tables, toml

Entry = dict[str, Any]


def _recognises(path: Path) -> bool:
    return path.name == "poetry.lock"


def _requires_python(path: Path) -> str:
    """Poetry's own notation, as far as it is PEP 440's too."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    said = str(table(toml(path).get("metadata")).get("python-versions", "")).replace(" ", "")
    said = _caret(said)
    try:
        return str(SpecifierSet("" if said == "*" else said))
    except InvalidSpecifier:
        return ""


def _caret(said: str) -> str:
    """``^3.10`` is ``>=3.10,<4`` (Poetry's documentation, "dependency specification")."""
    return (
        f">={said[1:]},<{int(said[1:].split('.')[0]) + 1}"
        if said[:1] == "^" and said[1:2].isdigit()
        else said
    )


def _read(path: Path, machine: Machine) -> Contents:
    content = toml(path)
    version = str(table(content.get("metadata")).get("lock-version", ""))
    if not version.startswith("2."):
        raise InputError(
            f"{path} has lock version {version!r}; this envfreeze reads version 2.",
            hint="Run: poetry lock",
        )
    entries = [entry for entry in tables(content.get("package")) if _wanted(entry, machine)]
    entries = [entry for entry in entries if _needed(entry, entries, machine)]
    pins = tuple(_pin(entry) for entry in entries if _has_files(entry))
    gaps = tuple(_gap(entry) for entry in entries if not _has_files(entry))
    return Contents(pins=pins, gaps=gaps)


def _wanted(entry: Entry, machine: Machine) -> bool:
    """By the entry itself: not optional, and a marker that holds for any of its groups."""
    if entry.get("optional") is True:
        return False
    markers = entry.get("markers", "")
    texts = list(markers.values()) if isinstance(markers, dict) else [markers]
    return any(holds(str(text), machine) for text in texts)


def _needed(entry: Entry, entries: list[Entry], machine: Machine) -> bool:
    """False when others need it, and none of them does here."""
    if "groups" in entry:
        return True
    markers = [
        str(table(one).get("markers", ""))
        for other in entries
        for name, edge in table(other.get("dependencies")).items()
        if str(name).lower().replace("_", "-") == str(entry.get("name")).lower().replace("_", "-")
        for one in (edge if isinstance(edge, list) else [edge])
    ]
    kept = [marker for marker in markers if "extra ==" not in marker]
    return not kept or any(holds(marker, machine) for marker in kept)


def _has_files(entry: Entry) -> bool:
    kind = str(table(entry.get("source")).get("type", "legacy"))
    return kind in {"legacy", "url"} and bool(tables(entry.get("files")))


def _pin(entry: Entry) -> Pin:
    from packaging.utils import canonicalize_name

    source = table(entry.get("source"))
    files = tuple(
        PinnedFile(file=str(file.get("file")), sha256=str(file.get("hash", "")).removeprefix("sha256:"))
        for file in tables(entry.get("files"))
        if str(file.get("hash", "")).startswith("sha256:")
    )
    return Pin(
        name=canonicalize_name(str(entry.get("name"))),
        version=str(entry.get("version")),
        sha256=tuple(file.sha256 for file in files if file.sha256),
        files=files,
        url=str(source["url"]) if source.get("type") == "url" else None,
        index=str(source["url"]) if source.get("type") == "legacy" and source.get("url") else None,
    )


def _gap(entry: Entry) -> Gap:
    source = table(entry.get("source"))
    where = " ".join(str(source[key]) for key in ("type", "url", "resolved_reference") if source.get(key))
    return Gap(
        what=f"{entry.get('name')} {entry.get('version')}",
        why=f"poetry.lock takes it from {where or 'nowhere'}: freeze the installed environment to keep it",
    )


SOURCE = Source(name="poetry.lock", recognises=_recognises, requires_python=_requires_python, read=_read)

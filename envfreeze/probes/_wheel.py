"""A wheel made from installed files, for distributions that no index has (PEP 427, PEP 376).

The same files give the same bytes: members sorted, dates fixed, stored without compression (whose result
would depend on the version of zlib).
"""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import itertools
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from envfreeze.errors import ProbeError
from envfreeze.files import CHUNK
from envfreeze.probes import _editable, _tags

_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip archive can hold."""

_OF_THE_INSTALLER = {
    "INSTALLER",
    "REQUESTED",
    "RECORD",
    "RECORD.jws",
    "RECORD.p7s",
    "direct_url.json",
    "WHEEL",
}
_OF_THE_INSTALLER |= {"uv_build.json", "uv_cache.json"}
"""Members of .dist-info that are written anew."""

Members = dict[str, Path | bytes]


def write(
    facts: dict[str, Any],
    said: dict[str, Any],
    site: Mapping[str, str],
    folder: Path,
    *,
    complete: bool = True,
) -> Path:
    """Make the wheel of a distribution in ``folder``; arguments as in ``Target.facts``.

    Files that are gone are left out unless it has to be ``complete``.

    Raises:
        ProbeError: its files are not known or are gone.
        OSError: one cannot be read, or the wheel cannot be written.
    """
    _check(facts)
    stem = f"{_escape(facts['name'])}-{_escape(facts['version'])}"
    if _editable.is_editable(facts):
        content: Members = {**_editable.sources(facts)}
    else:
        content = _installed(facts, site, stem, complete=complete)
    has_binaries = any(name.endswith(".so") for name in content)
    tags = facts["tags"] if facts["tags"] and not _editable.is_editable(facts) else []
    tags = tags or [_tags.own(said) if has_binaries else "py3-none-any"]
    content |= _metadata(facts, f"{stem}.dist-info", tags, pure=facts["purelib"] and not has_binaries)
    path = folder / f"{stem}-{_build(facts)}{_compressed(tags)}.whl"
    _archive(path, content, f"{stem}.dist-info/RECORD")
    return path


def _check(facts: dict[str, Any]) -> None:
    """Name, version and build become file names, so they must be what the specifications allow."""
    from packaging.utils import InvalidName, canonicalize_name
    from packaging.version import InvalidVersion, Version

    try:
        canonicalize_name(facts["name"], validate=True)
        Version(facts["version"])
    except (InvalidName, InvalidVersion) as error:
        raise ProbeError(str(error)) from None
    if not re.fullmatch(r"(\d\w*)?", facts["build"]):
        raise ProbeError(f"its build number {facts['build']!r} is not valid")


def _escape(text: str) -> str:
    """Name or version as a part of a file name (binary distribution format, "escaping and Unicode")."""
    return re.sub(r"[-_]+", "_", text)


def _build(facts: dict[str, Any]) -> str:
    return f"{facts['build']}-" if facts["build"] else ""


def _compressed(tags: Iterable[str]) -> str:
    """One tag for all (PEP 425, "compressed tag sets"), or the first when the set is no product."""
    triples = [tag.split("-") for tag in tags]
    columns = [list(dict.fromkeys(column)) for column in zip(*triples, strict=True)]
    if len(list(itertools.product(*columns))) != len({tuple(triple) for triple in triples}):
        columns = [[part] for part in triples[0]]
    return "-".join(".".join(sorted(column)) for column in columns)


def _metadata(facts: dict[str, Any], folder: str, tags: list[str], *, pure: bool) -> Members:
    """Members of .dist-info; of an egg-info, its PKG-INFO is the METADATA."""
    path = Path(facts["path"])
    found: Members = {}
    if path.suffix == ".dist-info":
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path).as_posix()
            if file.is_file() and name not in _OF_THE_INSTALLER and "__pycache__" not in name:
                found[f"{folder}/{name}"] = file
    else:
        found[f"{folder}/METADATA"] = path / "PKG-INFO" if path.is_dir() else path
        for name in ("entry_points.txt", "top_level.txt"):
            if (path / name).is_file():
                found[f"{folder}/{name}"] = path / name
    lines = ["Wheel-Version: 1.0", "Generator: envfreeze", f"Root-Is-Purelib: {str(pure).lower()}"]
    lines += [f"Tag: {tag}" for tag in tags]
    lines += [f"Build: {facts['build']}"] if facts["build"] else []
    found[f"{folder}/WHEEL"] = ("\n".join(lines) + "\n").encode()
    return found


def _installed(facts: dict[str, Any], site: Mapping[str, str], stem: str, *, complete: bool) -> Members:
    """Files by RECORD or installed-files.txt; those outside of the packages' folder go to ``.data/``."""
    location = os.path.normpath(facts["location"])
    data = _data_folder(location) or os.path.normpath(site["data"])
    scripts = {os.path.normpath(site["scripts"]), f"{data}/bin"}
    generated = _entry_points(Path(facts["path"]))
    found: Members = {}
    for file in _listed(facts):
        name = os.path.basename(file)  # noqa: PTH119 - names that are not valid UTF-8
        if file.endswith((".pyc", ".pyo")) or _inside(file, facts["path"]):
            continue
        if not Path(file).is_file():
            if not complete:
                continue
            raise ProbeError(f"{file} belongs to it and is gone")
        if inside := _inside(file, location):
            found[inside] = Path(file)
        elif file.rpartition("/")[0] in scripts:
            if name not in generated:
                found[f"{stem}.data/scripts/{name}"] = _script(Path(file))
        elif inside := _inside(file, data):
            found[f"{stem}.data/data/{inside}"] = Path(file)
    if not found:
        raise ProbeError("it is installed without a list of its files")
    return found


def _data_folder(location: str) -> str:
    """The prefix that a packages' folder is below: the user's folder and the system's have their own."""
    match = re.fullmatch(r"(.+)/lib(?:64)?/(?:python|pypy)[^/]*/site-packages", location)
    return match[1] if match else ""


def _listed(facts: dict[str, Any]) -> list[str]:
    """Absolute paths of a distribution's files."""
    path = Path(facts["path"])
    for name, base in (("RECORD", facts["location"]), ("installed-files.txt", facts["path"])):
        if (path / name).is_file():
            text = (path / name).read_text(encoding="utf-8", errors="surrogateescape")
            rows = csv.reader(text.splitlines())
            return [os.path.normpath(os.path.join(base, row[0])) for row in rows if row]  # noqa: PTH118
    modules = facts["top_level"] if path.is_dir() else []
    files: list[str] = []
    for module in modules:
        root = Path(facts["location"], module)
        files += map(str, root.rglob("*")) if root.is_dir() else map(str, root.parent.glob(f"{module}.*"))
    return sorted(file for file in files if Path(file).is_file())


def _inside(file: str, folder: str) -> str:
    """Path relative to ``folder``; empty when it lies elsewhere."""
    return file[len(folder) + 1 :] if file.startswith(folder.rstrip("/") + "/") else ""


def _entry_points(dist_info: Path) -> set[str]:
    """Names of scripts that an installer writes by itself (entry points specification)."""
    points = configparser.RawConfigParser(delimiters=("=",))
    points.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        points.read(dist_info / "entry_points.txt", encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return set()
    sections = [name for name in ("console_scripts", "gui_scripts") if points.has_section(name)]
    return {name for section in sections for name in points[section]}


def _script(path: Path) -> bytes:
    """A script with the line that an installer replaces by its own interpreter (PEP 427)."""
    data = path.read_bytes()
    first, newline, rest = data.partition(b"\n")
    is_python = first.startswith(b"#!") and b"python" in first
    return b"#!python" + newline + rest if is_python else data


def _archive(path: Path, content: Members, record: str) -> None:
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(content):
            digest, size = _add(archive, name, content[name])
            rows.append((name, f"sha256={digest}", size))
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([*rows, (record, "", "")])
        _add(archive, record, table.getvalue().encode("utf-8", "surrogateescape"))


def _add(archive: zipfile.ZipFile, name: str, source: Path | bytes) -> tuple[str, int]:
    """Add a member; its digest as RECORD has it (PEP 376: urlsafe base64 without padding), and its size."""
    executable = isinstance(source, Path) and bool(source.stat().st_mode & stat.S_IXUSR)
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system = 3  # Unix: the upper half of external_attr is then the mode
    info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
    digest, size = hashlib.sha256(), 0
    stream = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with stream, archive.open(info, "w", force_zip64=True) as member:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            member.write(chunk)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode(), size

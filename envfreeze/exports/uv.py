"""``pyproject.toml`` and ``uv.lock``, for ``uv sync --frozen``.

The lock says which files are installed and not what each of them depends on, so uv is told not to look
(``--frozen``): the project depends on all of them directly.
"""

from __future__ import annotations

from typing import Any

from envfreeze.exports import Export
from envfreeze.exports._files import MADE_BY, PackageFile, package_files, requires_python
from envfreeze.records.lock import Lock

PROJECT = "frozen"


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """Format of the lock: version 1, revision 2, as uv ≥ 0.7 writes it and reads it."""
    import tomli_w

    files = package_files(lock, wheels)
    project = {
        "project": {
            "name": PROJECT,
            "version": "0",
            "requires-python": requires_python(lock),
            "dependencies": [f"{file.name}=={file.version}" for file in files],
        },
        "tool": {"uv": {"package": False} | _sources(files)},
    }
    own = {
        "name": PROJECT,
        "version": "0",
        "source": {"virtual": "."},
        "dependencies": [{"name": file.name} for file in files],
    }
    locked = {
        "version": 1,
        "revision": 2,
        "requires-python": requires_python(lock),
        "package": [own, *map(_package, files)],
    }
    head = f"# {MADE_BY}: uv sync --frozen\n"
    return (head + tomli_w.dumps(project), head + tomli_w.dumps(locked))


def _sources(files: tuple[PackageFile, ...]) -> dict[str, Any]:
    found = {
        file.name: {"path": file.place} if file.vendored else {"url": file.place}
        for file in files
        if file.vendored or file.direct
    }
    return {"sources": found} if found else {}


def _package(file: PackageFile) -> dict[str, Any]:
    digest = f"sha256:{file.sha256}"
    package: dict[str, Any] = {"name": file.name, "version": file.version}
    if file.vendored:
        return package | {
            "source": {"path": file.place},
            "wheels": [{"filename": file.file, "hash": digest}],
        }
    where = {"url": file.place, "hash": digest}
    source = {"url": file.place} if file.direct else {"registry": file.index}
    return package | {"source": source} | ({"wheels": [where]} if file.wheel else {"sdist": where})


EXPORT = Export(name="uv", summary="uv sync --frozen", files=("pyproject.toml", "uv.lock"), render=render)

"""``pylock.toml`` (PEP 751): the standard lock, for ``pip install -r pylock.toml`` and ``uv pip sync``."""

from __future__ import annotations

from typing import Any

from envfreeze.exports import Export
from envfreeze.exports._files import MADE_BY, PackageFile, package_files, requires_python
from envfreeze.records.lock import Lock


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """The format: https://packaging.python.org/en/latest/specifications/pylock-toml/."""
    import tomli_w

    content = {
        "lock-version": "1.0",
        "requires-python": requires_python(lock),
        "created-by": "envfreeze",
        "packages": [_package(file) for file in package_files(lock, wheels)],
    }
    return (f"# {MADE_BY}.\n{tomli_w.dumps(content)}",)


def _package(file: PackageFile) -> dict[str, Any]:
    package: dict[str, Any] = {"name": file.name, "version": file.version}
    where = {"path" if file.vendored else "url": file.place, "hashes": {"sha256": file.sha256}}
    if file.direct:
        return package | {"archive": where}
    if not file.vendored:
        package["index"] = file.index
    named = {"name": file.file} | where
    return package | ({"wheels": [named]} if file.wheel else {"sdist": named})


EXPORT = Export(
    name="pylock",
    summary="pip install -r pylock.toml (pip ≥ 26), uv pip sync pylock.toml",
    files=("pylock.toml",),
    render=render,
)

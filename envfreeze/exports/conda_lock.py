"""``conda-lock.yml``: conda and pip packages in one file, for conda-lock and micromamba."""

from __future__ import annotations

import hashlib
from typing import Any

from envfreeze.exports import Export
from envfreeze.exports._conda import channel, conda_packages, short_channel, subdir
from envfreeze.exports._files import MADE_BY, package_files
from envfreeze.recipe._conda import without_conda
from envfreeze.records.lock import Lock


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """The unified lockfile, version 1: https://github.com/conda/conda-lock (``lockfile/v1/models.py``)."""
    import yaml

    platform = subdir(lock)
    packages = [
        _entry(package.name, package.version, "conda", platform, package.url)
        | {"hash": {k: v for k, v in (("md5", package.md5), ("sha256", package.sha256)) if v}}
        | {"build": package.build}
        for package in conda_packages(lock)
    ]
    names = {entry["name"] for entry in packages}
    packages += [
        _entry(file.name, file.version, "pip", platform, file.place) | {"hash": {"sha256": file.sha256}}
        for file in package_files(without_conda(lock), wheels)
        if file.name not in names
    ]
    channels = dict.fromkeys(short_channel(channel(package)) for package in conda_packages(lock))
    content = {
        "version": 1,
        "metadata": {
            "content_hash": {platform: hashlib.sha256(repr(packages).encode()).hexdigest()},
            "channels": [{"url": url, "used_env_vars": []} for url in channels],
            "platforms": [platform],
            "sources": ["envfreeze.lock"],
        },
        "package": packages,
    }
    return (f"# {MADE_BY}.\n{yaml.safe_dump(content, sort_keys=False, width=1 << 30)}",)


def _entry(name: str, version: str, manager: str, platform: str, url: str) -> dict[str, Any]:
    """The lock does not say what depends on what: all are wanted, and all are in the main category."""
    return {
        "name": name,
        "version": version,
        "manager": manager,
        "platform": platform,
        "dependencies": {},
        "url": url,
        "category": "main",
        "optional": False,
    }


EXPORT = Export(
    name="conda-lock",
    summary="conda-lock install, micromamba create -f conda-lock.yml",
    files=("conda-lock.yml",),
    render=render,
)

"""An ``@EXPLICIT`` file: addresses and digests, for ``conda create --file`` and ``micromamba create -f``."""

from __future__ import annotations

from envfreeze.exports import Export
from envfreeze.exports._conda import conda_packages, subdir
from envfreeze.exports._files import MADE_BY
from envfreeze.records.lock import Lock


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """One package a line, with its MD5, which is the digest that every version of conda checks here."""
    lines = [f"# {MADE_BY}.", f"# platform: {subdir(lock)}", "@EXPLICIT"]
    for package in conda_packages(lock):
        lines.append(f"{package.url}#{package.md5 or f'sha256:{package.sha256}'}")
    return ("".join(f"{line}\n" for line in lines),)


EXPORT = Export(
    name="explicit",
    summary="conda create --file, micromamba create -f (conda packages only)",
    files=("conda-explicit.txt",),
    render=render,
)

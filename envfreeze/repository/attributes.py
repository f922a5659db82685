"""``.gitattributes``: recorded content byte by byte, and large content by git-lfs where it is in use."""

from __future__ import annotations

import shutil

from envfreeze.repository import Addition, Part, Plan, Repository, appended, git, read

LARGE = 50 << 20
"""Bytes; GitHub warns of larger files, and refuses them from twice as much on:
https://docs.github.com/en/repositories/working-with-files/managing-large-files/about-large-files-on-github."""

_COMMENT = "# What envfreeze recorded is compared by digest: no conversion of line ends (gitattributes(5))."


def plan(repository: Repository) -> Plan:
    """Lines for the project's own ``.gitattributes``, without those whose pattern is in there already."""
    path = repository.project / ".gitattributes"
    before = read(path)
    large = _large(repository)
    lfs = large > 0 and _uses_lfs(repository, before or "")
    objects = ".envfreeze/objects/** " + ("filter=lfs diff=lfs merge=lfs -text" if lfs else "-text")
    wanted = (objects, ".envfreeze/build/** -text", "envfreeze.lock text eol=lf", "Dockerfile text eol=lf")
    there = {line.split()[0] for line in (before or "").splitlines() if line.split()}
    missing = [line for line in wanted if line.split()[0] not in there]
    hints: tuple[str, ...] = ()
    if large and not lfs and ".envfreeze/objects/**" not in there:
        hints = (
            f"{large} recorded files are larger than 50 MB, which GitHub takes badly: use git-lfs (git lfs "
            'track ".envfreeze/objects/**"), or ignore .envfreeze/objects/ and share a bundle instead',
        )
    if not missing:
        return Plan(hints=hints)
    return Plan(additions=(Addition(path=path, text=appended(before, [_COMMENT, *missing])),), hints=hints)


def _large(repository: Repository) -> int:
    """How many recorded files git should not keep itself."""
    objects = repository.project / ".envfreeze" / "objects"
    return sum(path.stat().st_size > LARGE for path in objects.glob("*/*") if path.is_file())


def _uses_lfs(repository: Repository, attributes: str) -> bool:
    top = read(repository.top / ".gitattributes") or ""
    configured = bool(git(repository.project, "config", "filter.lfs.clean"))
    return "filter=lfs" in attributes + top or (configured and shutil.which("git-lfs") is not None)


PART = Part(name="attributes", summary=".gitattributes: recorded files byte by byte, git-lfs", plan=plan)

"""``.gitignore``: bundles stay out of the repository, the lock stays in."""

from __future__ import annotations

from envfreeze.records import lockfile
from envfreeze.repository import Addition, Part, Plan, Repository, appended, git, read

_BUNDLES = "*.envfreeze.zip"


def plan(repository: Repository) -> Plan:
    """``.envfreeze/`` has a ``.gitignore`` of its own; only what lies outside of it is looked at here."""
    path = repository.project / ".gitignore"
    before = read(path)
    there = {line.strip() for line in (before or "").splitlines()}
    lines = [] if _BUNDLES in there else ["# Bundles of envfreeze (envfreeze pack).", _BUNDLES]
    hints = []
    if rule := _ignored(repository, lockfile.NAME):
        lines += ["# Without its lock a project cannot be replayed.", f"!/{lockfile.NAME}"]
        hints.append(f"{lockfile.NAME} was ignored ({rule}); the new line takes it in again")
    if rule := _ignored(repository, ".envfreeze/objects/00/00"):
        hints.append(f"recorded files (.envfreeze/objects/) are ignored ({rule}): a clone cannot be replayed")
    additions = (Addition(path=path, text=appended(before, lines)),) if lines else ()
    return Plan(additions=additions, hints=tuple(hints))


def _ignored(repository: Repository, name: str) -> str:
    """The rule that leaves a file out, as ``FILE:LINE:PATTERN``; empty when none does, or git has it."""
    if git(repository.project, "ls-files", "--", name):
        return ""
    rule = git(repository.project, "check-ignore", "--verbose", "--no-index", "--", name).partition("\t")[0]
    return "" if rule.rpartition(":")[2].startswith("!") else rule


PART = Part(name="ignore", summary=".gitignore: bundles out, the lock in", plan=plan)

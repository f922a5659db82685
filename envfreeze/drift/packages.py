"""Python and the packages installed in it."""

from __future__ import annotations

import json
from typing import Any

from packaging.utils import canonicalize_name

from envfreeze.drift import Area, Here, Looked
from envfreeze.recipe.requirements import LEFT_OUT
from envfreeze.records.environment import Package
from envfreeze.records.status import Change


def look(here: Here) -> Looked:
    """Compare versions, and the commit of what was installed from version control.

    Packages that were added are named in a note: a run that used them would have other code, which shows.
    """
    facts = here.facts
    installed = {
        str(canonicalize_name(item["name"])): item for item in facts["distributions"] if "name" in item
    }
    frozen = {
        str(canonicalize_name(package.name)): package
        for package in here.lock.packages
        if canonicalize_name(package.name) not in LEFT_OUT
    }
    changes = [*_interpreter(here, facts["interpreter"])]
    for name, package in sorted(frozen.items()):
        changes += _package(package, installed.get(name))
    added = sorted(set(installed) - set(frozen) - LEFT_OUT)
    notes: tuple[str, ...] = (f"looked at {here.executable}",)
    if added:
        more = f" and {len(added) - 5} more" if len(added) > 5 else ""
        notes += (f"installed since the freeze: {', '.join(added[:5])}{more}",)
    return Looked(count=len(frozen) + 1, changes=tuple(changes), notes=notes)


def _interpreter(here: Here, now: dict[str, Any]) -> list[Change]:
    frozen = here.lock.interpreter
    then, today = (
        f"{frozen.implementation} {frozen.version}",
        f"{now['implementation']} {now['version']}",
    )
    if then == today:
        return []
    return [Change(area="packages", name="python", what="changed", frozen=then, now=today)]


def _package(frozen: Package, now: dict[str, Any] | None) -> list[Change]:
    if now is None:
        return [Change(area="packages", name=frozen.name, what="missing", frozen=frozen.version)]
    if now["version"] != frozen.version:
        return [
            Change(
                area="packages",
                name=frozen.name,
                what="changed",
                frozen=frozen.version,
                now=str(now["version"]),
            )
        ]
    commit = _commit(now.get("direct_url"))
    if frozen.source == "vcs" and commit and commit not in (frozen.direct_url or ""):
        then = (frozen.direct_url or "").rpartition("@")[2]
        return [Change(area="packages", name=frozen.name, what="changed", frozen=then[:12], now=commit[:12])]
    return []


def _commit(direct_url: str | None) -> str:
    """``commit_id`` of direct_url.json (PEP 610)."""
    try:
        return str(json.loads(direct_url or "{}").get("vcs_info", {}).get("commit_id", ""))
    except (ValueError, AttributeError):
        return ""


AREA = Area(name="packages", summary="Python and the packages installed in it", look=look)

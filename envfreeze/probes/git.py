"""Version control at the freeze: the commit, and the difference of the work tree from it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from envfreeze.errors import ProbeError
from envfreeze.probes import Probe, Section, Target
from envfreeze.records.environment import Git
from envfreeze.records.files import Gap
from envfreeze.redact import url_without_credentials
from envfreeze.store import FOLDER, Store
from envfreeze.tree import OWN_FILES

TIMEOUT = 60.0
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false")
"""A repository's own configuration may name programs: no monitor, hook, pager or external diff is run."""
_OWN = tuple(f":(exclude){name}" for name in sorted({FOLDER, *OWN_FILES}))
"""What the freeze itself writes does not make the work tree dirty."""


def inspect(target: Target) -> Section:
    """Ask git; no section where there is no repository or no git."""
    try:
        inside = _git(target, "rev-parse", "--is-inside-work-tree")
    except FileNotFoundError:
        return Section(value=None)
    if inside.returncode != 0:
        if b"dubious ownership" in inside.stderr:
            raise ProbeError("the repository belongs to another user, so git does not read it")
        return Section(value=None)
    if inside.stdout.strip() != b"true":
        return Section(value=None)
    branch = _line(target, "symbolic-ref", "--short", "--quiet", "HEAD")
    commit = _line(target, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        why = f"the branch {branch or '?'} has no commit yet"
        return Section(value=None, gaps=(Gap(what="git commit", why=why),))
    status = _git(target, "status", "--porcelain=v1", "--untracked-files=no", "-z", "--", ":/", *_OWN)
    if status.returncode != 0:
        raise ProbeError(f"git status failed: {_said(status)}")
    diff, gaps = _diff(target) if status.stdout else (None, ())
    return Section(
        value=Git(
            commit=commit, branch=branch, remote=_remote(target, branch), dirty=bool(status.stdout), diff=diff
        ),
        gaps=gaps,
    )


def _diff(target: Target) -> tuple[str | None, tuple[Gap, ...]]:
    """Digest of the stored ``git diff HEAD``; untracked files that the run read are stored as its files."""
    made = _git(
        target, "diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--", ":/", *_OWN
    )
    if made.returncode != 0:
        return None, (Gap(what="git diff", why=f"git diff HEAD failed: {_said(made)}"),)
    return (Store(target.project).add_bytes(made.stdout) if made.stdout else None), ()


def _remote(target: Target, branch: str | None) -> str | None:
    """URL of the branch's remote, or of ``origin``, or of the first one; no credentials."""
    names = (_line(target, "remote") or "").splitlines()
    tracked = _line(target, "config", "--get", f"branch.{branch}.remote") if branch else None
    name = next((name for name in (tracked, "origin", *names) if name in names), None)
    url = _line(target, "config", "--get", f"remote.{name}.url") if name else None
    return url_without_credentials(url) if url else None


def _line(target: Target, *arguments: str) -> str | None:
    finished = _git(target, *arguments)
    text = finished.stdout.decode("utf-8", "replace").strip()
    return text if finished.returncode == 0 and text else None


def _git(target: Target, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *_SAFE, *arguments],
            cwd=target.directory,
            env=_environment(target.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"git {arguments[0]} took longer than {TIMEOUT:.0f} seconds") from None


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The command's variables without those that would point git elsewhere or start programs."""
    kept = {name: value for name, value in variables.items() if not name.startswith("GIT_")}
    return (
        {"PATH": os.defpath}
        | kept
        | {
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_PAGER": "cat",
            "LC_ALL": "C.UTF-8",
        }
    )


def _said(finished: subprocess.CompletedProcess[bytes]) -> str:
    lines = finished.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"exit status {finished.returncode}"


PROBE = Probe(section="git", inspect=inspect)

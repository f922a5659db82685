"""Version control at the freeze: the commit, and the difference of the work tree from it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from envfreeze.errors import ProbeError
from envfreeze.probes import Probe, Section, Target
from envfreeze.records.environment import Git, Submodule
from envfreeze.records.files import Gap
from envfreeze.redact import url_without_credentials
from envfreeze.store import FOLDER, Store
from envfreeze.tree import OWN_FILES

TIMEOUT = 60.0
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false")
"""A repository's own configuration may name programs: no monitor, hook, pager or external diff is run."""
_MOST_SUBMODULES = 200
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
    changed = _is_changed(target)
    diff, gaps = _diff(target) if changed else (None, ())
    top = _line(target, "rev-parse", "--show-toplevel")
    submodules = tuple(_submodules(target, top, "")) if top else ()
    return Section(
        value=Git(
            commit=commit,
            branch=branch,
            remote=_remote(target, branch),
            dirty=changed or any(submodule.dirty for submodule in submodules),
            diff=diff,
            submodules=submodules[:_MOST_SUBMODULES],
        ),
        gaps=gaps,
    )


def _is_changed(target: Target) -> bool:
    options = ("--porcelain=v1", "--untracked-files=no", "--ignore-submodules=all", "-z")
    status = _git(target, "status", *options, "--", ":/", *_OWN)
    if status.returncode != 0:
        raise ProbeError(f"git status failed: {_said(status)}")
    return bool(status.stdout)


def _submodules(target: Target, top: str, prefix: str) -> Iterator[Submodule]:
    """Those of the repository at ``top`` and, inside of them, theirs; each is asked as the repository is.

    git itself would ask them without ``_SAFE``.
    """
    listed = _git(_at(target, top), "ls-files", "--stage", "-z").stdout.decode(errors="replace")
    for line in listed.split("\0"):
        mode, _, rest = line.partition(" ")
        named, _, path = rest.partition("\t")
        if mode != "160000" or prefix.count("/") > 10:  # gitlinks, in git's index format
            continue
        inside = _at(target, f"{top}/{path}")
        if not Path(inside.directory, ".git").exists():
            yield Submodule(path=prefix + path)
            continue
        commit = _line(inside, "rev-parse", "--verify", "--quiet", "HEAD")
        changed = commit is not None and _is_changed(inside)
        moved = commit != named.split(" ")[0]
        diff = _diff(inside)[0] if changed else None
        yield Submodule(path=prefix + path, commit=commit, dirty=changed or moved, diff=diff)
        yield from _submodules(target, inside.directory, f"{prefix}{path}/")


def _at(target: Target, folder: str) -> Target:
    return msgspec.structs.replace(target, directory=folder)


def _diff(target: Target) -> tuple[str | None, tuple[Gap, ...]]:
    """Digest of the stored ``git diff HEAD``; untracked files that the run read are stored as its files."""
    options = ("--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all")
    made = _git(target, "diff", *options, "HEAD", "--", ":/", *_OWN)
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

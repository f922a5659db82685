"""What ``envfreeze init`` adds to a git repository, so that lock and code cannot drift apart unseen.

To add a part, add a file with ``PART = Part(name=…, summary=…, plan=…)``; the registry finds it. A part only
plans: it returns the text that a file shall have, or a hint where the user has to decide. Nothing that the
user wrote is ever removed or replaced.
"""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from envfreeze import files
from envfreeze.errors import InputError
from envfreeze.records import lockfile
from envfreeze.records.base import Record
from envfreeze.records.prepared import Prepared, PreparedFile

MARK = "Made by envfreeze init"
"""What a file says that was made as a whole."""


class Repository(Record):
    """Where the project lies in its repository."""

    project: Path
    top: Path
    """Root of the work tree."""
    hooks: Path
    """Where git looks for hooks (``core.hooksPath``, git-config(1))."""
    install: str
    """What ``pip install`` takes to install envfreeze in continuous integration."""

    @property
    def lock(self) -> str:
        """Path of the lock, relative to the root."""
        return (self.project / lockfile.NAME).relative_to(self.top).as_posix()


class Addition(Record):
    """A file that is made or grows."""

    path: Path
    text: str
    """All of it, afterwards."""
    executable: bool = False


class Plan(Record):
    """What a part wants; nothing when all is there already."""

    additions: tuple[Addition, ...] = ()
    hints: tuple[str, ...] = ()


class Part(Record):
    """One thing that is set up."""

    name: str
    summary: str
    plan: Callable[[Repository], Plan]


def parts() -> dict[str, Part]:
    """All parts by name."""
    from envfreeze import repository as family
    from envfreeze.registry import members

    return {found.name: found for found in members(family, "PART", Part)}


def prepare(
    project: Path | str = ".",
    *,
    only: Sequence[str] = (),
    install: str | None = None,
    dry_run: bool = False,
) -> Prepared:
    """Add to the repository around ``project`` what is missing; a second time there is nothing to do.

    Args:
        only: names of parts; empty means all.
        install: what pip installs envfreeze from, in continuous integration; by default this version.
        dry_run: say what would be added, and write nothing.

    Raises:
        InputError: ``project`` is in no git repository, or there is no such part.
        OSError: a file cannot be written.
    """
    known = parts()
    for name in only:
        if name not in known:
            raise InputError(f"init has no part {name!r}.", hint=f"There are: {', '.join(known)}.")
    repository = find(Path(project), install)
    plans = [known[name].plan(repository) for name in known if not only or name in only]
    prepared = []
    for addition in (addition for plan in plans for addition in plan.additions):
        before = read(addition.path)
        prepared.append(
            PreparedFile(
                path=str(addition.path), new=before is None, diff=_diff(repository, addition, before or "")
            )
        )
        if not dry_run:
            _write(addition)
    return Prepared(
        files=tuple(prepared), hints=tuple(hint for plan in plans for hint in plan.hints), written=not dry_run
    )


def find(project: Path, install: str | None = None) -> Repository:
    """The repository around a folder.

    Raises:
        InputError: there is none, or no git.
    """
    import envfreeze

    folder = project.resolve()
    if not folder.is_dir():
        raise InputError(f"the project folder {folder} does not exist.")
    try:
        top = git(folder, "rev-parse", "--show-toplevel")
        hooks = git(folder, "rev-parse", "--git-path", "hooks")
    except FileNotFoundError:
        raise InputError("there is no git on the PATH.", hint="Install git.") from None
    if not top:
        raise InputError(f"{folder} is in no git repository.", hint="Make it one: git init")
    return Repository(
        project=folder,
        top=Path(top),
        hooks=(folder / hooks).resolve(),
        install=install or f"envfreeze=={envfreeze.__version__}",
    )


def git(folder: Path, *arguments: str) -> str:
    """What git says, without the last line's end; empty when it refuses."""
    asked = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return asked.stdout.rstrip("\n") if asked.returncode == 0 else ""


def read(path: Path) -> str | None:
    """A text with its line ends as they are; None when there is no such file.

    Raises:
        InputError: it is no text.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, IsADirectoryError):
        raise InputError(f"{path} is no text, so nothing can be added to it.") from None


def appended(before: str | None, lines: Sequence[str]) -> str:
    """A text with lines added at its end, in its own kind of line ends."""
    before = before or ""
    end = "\r\n" if "\r\n" in before else "\n"
    gap = "" if not before else end if before.endswith("\n") else 2 * end
    return before + gap + "".join(line + end for line in lines)


def _diff(repository: Repository, addition: Addition, before: str) -> str:
    name = addition.path.name
    if addition.path.is_relative_to(repository.top):
        name = str(addition.path.relative_to(repository.top))
    lines = difflib.unified_diff(
        before.splitlines(), addition.text.splitlines(), f"a/{name}", f"b/{name}", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


def _write(addition: Addition) -> None:
    path = addition.path.resolve()  # a link stays one
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o755 if addition.executable else 0o644
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, addition.text.encode(), mode=mode)

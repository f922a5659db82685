"""Reads outside the project: which of them are data and code of the run."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from envfreeze.observer.classes import KEPT, Classes
from envfreeze.observer.events import Events
from envfreeze.observer.inputs import Locator, Snapshot, named_gaps
from envfreeze.observer.programs import executable_by_name
from envfreeze.records.files import Gap

LARGEST_COPY = 64 << 20
"""Bytes of a file outside of the project that is copied before the run overwrites it (shim/paths.c)."""


class Elsewhere(NamedTuple):
    """Absolute paths of data and code outside of the project."""

    unchanged: list[str]
    overwritten: list[str]
    """Those that the run changed, and whose earlier content was copied first."""
    lost: list[str]
    """Those that it changed, and that were too large for that, if they were there before."""


def data_of(
    paths: Iterable[str],
    events: Events,
    environment: Mapping[str, str],
    classes: Classes,
    *,
    began: int,
    copies: str = "/nonexistent",
) -> Elsewhere:
    """Which files outside of the project are data and code of the run.

    Left out are the interpreters and what is installed in them, what ``classes`` says is the system's or a
    cache, and what the run made itself.

    Args:
        paths: absolute paths that were read (see ``inputs.what_was_read``).
        began: start of the run, ns since the epoch.
        copies: folder with the earlier content of files that the run overwrote, below their absolute paths.
    """
    own = {os.path.normpath(path) for path in events.written}
    installed = tuple(f"{folder}/" for folder in _installed(events, environment))

    def kept(path: str) -> bool:
        given = classes.own(path)
        if given is None and path.startswith(installed):
            return False
        return (given or classes(path)) in {*KEPT, "secret"}

    wanted = {path for path in paths if kept(path)}
    overwritten = {path for path in wanted & own if os.path.isfile(copies + path)}  # noqa: PTH113
    lost = {path for path in wanted & own - overwritten if _size(path) > LARGEST_COPY}
    unchanged = sorted(path for path in wanted - own if _is_older_file(path, began))
    return Elsewhere(unchanged, sorted(overwritten), sorted(lost))


def resources_of(events: Events, classes: Classes) -> tuple[str, ...]:
    """Fonts, time zones, locales and dictionaries of the system that the run read, sorted absolute paths."""
    paths = {os.path.normpath(path) for path in events.read}
    made = {os.path.normpath(path) for path in events.written}
    return tuple(sorted(path for path in paths - made if path[:1] == "/" and classes(path) == "resource"))


def is_library(path: str) -> bool:
    """True for a shared library among the mapped files; the others are locales."""
    return ".so" in path


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except (OSError, ValueError):
        return 0


def downloads_of(events: Events, classes: Classes, locator: Locator, before: Snapshot) -> list[str]:
    """What the run fetched over the network: paths relative to the project, or absolute outside of it."""
    if not any(image.reached for image in events.images):
        return []
    read = {os.path.normpath(path) for path in events.read}
    found: set[str] = set()
    for path in map(os.path.normpath, events.written):
        place = locator.resolve(path)[1]
        fetched = place.startswith("/") or (path in read and place not in before.files)
        if fetched and classes.may_be_download(place) and os.path.isfile(path):  # noqa: PTH113
            found.add(place)
    elsewhere = (path for path in read if locator.relative(path) is None)
    return sorted(found | set(_links_to(found, elsewhere)))


def _links_to(found: set[str], read: Iterable[str]) -> Iterator[str]:
    """Links through which what was fetched elsewhere was read, as in Hugging Face's cache."""
    targets = {os.path.realpath(path) for path in found if path.startswith("/")}
    if targets:
        yield from (path for path in read if os.path.islink(path) and os.path.realpath(path) in targets)  # noqa: PTH114


def unrecorded_outputs(
    events: Events,
    recorded: Iterable[str],
    environment: Mapping[str, str],
    project: str,
    classes: Classes,
) -> list[Gap]:
    """A gap for every file that a Python of the run wrote elsewhere and that no pattern made an output."""
    temporary = {environment.get("TMPDIR") or "/tmp", project, os.path.realpath(project)}  # noqa: S108
    passed_over = {*_installed(events, environment), *temporary, *recorded}
    passed_over.add(environment.get("XDG_CACHE_HOME") or os.path.join(environment.get("HOME", "/"), ".cache"))  # noqa: PTH118
    elsewhere = tuple(f"{folder.rstrip('/')}/" for folder in passed_over)
    paths = {os.path.normpath(path) for path in events.written}
    left = sorted(
        path
        for path in paths
        if not f"{path}/".startswith(elsewhere) and classes(path) in {*KEPT, "secret"}
        if os.path.isfile(path)  # noqa: PTH113
    )
    return named_gaps("files written outside the project folder are no outputs", left, "(see --output)")


def _installed(events: Events, environment: Mapping[str, str]) -> set[str]:
    """Folders of the interpreters that ran, and of what is installed in them."""
    given = {os.path.normpath(path) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path}
    home = environment.get("HOME", "").rstrip("/")
    folders: set[str] = set()
    for process in events.processes:
        folders |= {process.prefix, process.base_prefix, process.pycache_prefix}
        # Editable installs put their sources on the path, or map to them; the packages stand for these.
        folders |= {entry for entry in process.path if os.path.normpath(entry) not in given}
        folders |= {
            os.path.dirname(entry) if entry.endswith(".py") else entry  # noqa: PTH120
            for entry in process.editable
        }
    for image in events.images:
        # A Python that the agent was not loaded into: <prefix>/bin/python, as called and with links resolved.
        if executable_by_name(image.program):
            called = image.argv[0] if image.argv and "/" in image.argv[0] else image.program
            called = os.path.join(image.directory, called)  # noqa: PTH118
            folders |= {os.path.dirname(os.path.dirname(path)) for path in (image.program, called)}  # noqa: PTH120
    folders |= {os.path.realpath(folder) for folder in folders if folder.startswith("/")}
    return {folder.rstrip("/") for folder in folders if folder.startswith("/")} - {"", home}


def _is_older_file(path: str, began: int) -> bool:
    try:
        status = os.stat(path)  # noqa: PTH116 - names that are not valid UTF-8
    except (OSError, ValueError):
        return False
    # A copied file may have a time of change in the future, and only the inode's tells when it came here.
    return stat.S_ISREG(status.st_mode) and min(status.st_mtime_ns, status.st_ctime_ns) < began

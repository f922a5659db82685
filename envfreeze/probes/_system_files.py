"""Files of the system that no image has: libraries of no package, fonts, time zones, locales, dictionaries.

They are kept by content, and an image and a replay have them at their path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from envfreeze.gpu_files import DRIVER
from envfreeze.observer.classes import plain
from envfreeze.observer.inputs import named_gaps
from envfreeze.observer.outputs import store_files
from envfreeze.probes import Target
from envfreeze.probes._owners import loader_cache
from envfreeze.records.files import FileEntry, Gap
from envfreeze.store import Store

_NOT_KEPT = re.compile(
    r"(?:ld-|ld\.so|libc\.|libc-|libm[.-]|libdl[.-]|librt[.-]|libpthread[.-]|libresolv[.-]|libnss_"
    rf"|{DRIVER}).*"
)
"""The C library, which belongs to the base image, and NVIDIA's driver, which belongs to the kernel."""

_STANDARD = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/")
"""Where the loader looks without being told (ld.so(8))."""
_MANAGED = ("/nix/", "/gnu/", "/snap/")
"""Package managers that are not asked; their libraries find each other by absolute path."""
_IN_EVERY_IMAGE = re.compile(r"/usr/lib(64)?/locale/C\.(utf8|UTF-8)/.*")
_ZONES = "/usr/share/zoneinfo"
_UTC = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "UCT", "Universal", "Zulu", "Etc/Universal", "Etc/Zulu"})


class SystemFiles(NamedTuple):
    """Fields of the record ``System``, and gaps."""

    files: tuple[FileEntry, ...] = ()
    library_path: tuple[str, ...] = ()
    time_zone: str = ""
    gaps: tuple[Gap, ...] = ()


def keep(unowned: Iterable[str], target: Target, *, managed: bool) -> SystemFiles:
    """Take them into the store, small ones first, up to the target's limit.

    Args:
        unowned: loaded libraries of no package.
        managed: whether this machine's package manager knows any library at all; without one, what lies in
            the loader's standard folders is taken to be the system's own.

    Raises:
        OSError: the store cannot be written.
    """
    zone = time_zone(target.environment)
    libraries = [path for path in unowned if _is_kept(path, target, managed=managed)]
    names = dict(_names_of(libraries, target))
    wanted = [
        path for path in (*target.resources, *_zone_files(zone, target.environment)) if _is_resource(path)
    ]
    paths = sorted({*libraries, *wanted, *(path for path, link in names.items() if link is None)})
    taken, left = _within_limit(paths, target.vendor_limit)
    store = Store(target.project)
    store.create()
    entries, gaps = store_files(taken, "/", store, what="the file", classes=plain(), follow=True)
    entries = [entry for entry in entries if entry.sha256 is not None]
    links = [
        FileEntry(path=path, link=link)
        for path, link in names.items()
        if link is not None and f"{path.rpartition('/')[0]}/{link}" not in left
    ]
    why = f"is beyond the limit of {target.vendor_limit} bytes (see --vendor-limit)"
    gaps += named_gaps("a file of the system is not captured", left, why)
    files = tuple(sorted((*entries, *links), key=lambda entry: entry.path))
    return SystemFiles(files, tuple(_library_path(files, target)), zone, tuple(gaps))


def _is_kept(path: str, target: Target, *, managed: bool) -> bool:
    project = f"{os.path.realpath(target.project)}/"
    return (
        os.path.isfile(path)  # noqa: PTH113
        and not path.startswith((project, f"{target.project}/", *_MANAGED))
        and not _NOT_KEPT.fullmatch(PurePosixPath(path).name)
        and (managed or not path.startswith(_STANDARD))
    )


def _is_resource(path: str) -> bool:
    return os.path.isfile(path) and not _IN_EVERY_IMAGE.fullmatch(path)  # noqa: PTH113


def _within_limit(paths: Iterable[str], limit: int) -> tuple[list[str], list[str]]:
    taken: list[str] = []
    left: list[str] = []
    total = 0
    for size, path in sorted((os.stat(path).st_size, path) for path in paths):  # noqa: PTH116
        total += size
        (taken if total <= limit else left).append(path)
    return sorted(taken), sorted(left)


def _names_of(libraries: Iterable[str], target: Target) -> Iterator[tuple[str, str | None]]:
    """Other names by which the loader finds these libraries; the link's target where it is one beside it.

    The kernel tells of a mapped file by its real name, ``libx.so.1.2``, the loader asks for ``libx.so.1``.
    """
    kept = set(libraries)
    own = (path for path in target.libraries if path.startswith(f"{os.path.realpath(target.project)}/"))
    real = kept | set(own)
    folders = {os.path.dirname(path) for path in real}  # noqa: PTH120
    for folder in sorted({*folders, *_told(target)}):
        with_links = os.path.realpath(folder) != folder
        for name in _listed(folder):
            path = f"{folder}/{name}"
            if path in real or os.path.realpath(path) not in real:
                continue
            link = os.readlink(path) if os.path.islink(path) else "/"  # noqa: PTH114, PTH115
            yield path, None if with_links or "/" in link else link


def _listed(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if ".so" in name)  # noqa: PTH208
    except OSError:
        return []


def _told(target: Target) -> list[str]:
    """The folders of ``LD_LIBRARY_PATH``, absolute; empty parts mean the working directory (ld.so(8))."""
    value = target.environment.get("LD_LIBRARY_PATH", "")
    parts = value.replace(";", ":").split(":") if value else []
    return [os.path.normpath(os.path.join(target.directory, part)) for part in parts]  # noqa: PTH118


def _library_path(files: Iterable[FileEntry], target: Target) -> Iterator[str]:
    folders = {os.path.dirname(entry.path) for entry in files if ".so" in entry.path}  # noqa: PTH120
    told = [
        folder for folder in dict.fromkeys(_told(target)) if folder in folders or _in_project(folder, target)
    ]
    yield from told
    if folders:
        cached = {os.path.dirname(path) for path in loader_cache()}  # noqa: PTH120
        yield from sorted(folders & cached - set(told))


def _in_project(folder: str, target: Target) -> bool:
    return f"{folder}/".startswith(f"{target.project}/")


def time_zone(environment: Mapping[str, str]) -> str:
    """The zone that /etc/localtime means, by localtime(5) a link; empty for UTC, or when ``TZ`` is set."""
    if environment.get("TZ"):
        return ""
    zone = os.path.realpath("/etc/localtime").removeprefix(f"{_ZONES}/")
    return "" if zone in _UTC or not _plain_zone(zone) else zone


def _plain_zone(zone: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", zone) is not None


def _zone_files(zone: str, environment: Mapping[str, str]) -> list[str]:
    """The C library reads these unseen."""
    names = (zone, environment.get("TZ", "").removeprefix(":"))
    return [f"{_ZONES}/{name}" for name in names if name not in _UTC and _plain_zone(name)]

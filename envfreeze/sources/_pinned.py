"""From a pin to the package's record: which of its files the machine takes."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from envfreeze.files import in_parallel
from envfreeze.probes import _tags
from envfreeze.probes._index import Index, IndexFile, Unreachable
from envfreeze.probes._lookup import compatible
from envfreeze.records.environment import Package
from envfreeze.records.files import Gap
from envfreeze.redact import url_without_credentials
from envfreeze.sources import Machine, Pin
from envfreeze.store import Store

WORKERS = 8


class _Answer(NamedTuple):
    package: Package
    gap: str = ""


def packages(
    pins: tuple[Pin, ...], machine: Machine, store: Store
) -> tuple[tuple[Package, ...], tuple[Gap, ...]]:
    """The packages by name, and what is not known of them."""
    chooser = _Chooser(machine, store)
    answers = sorted(in_parallel(chooser.choose, pins, workers=WORKERS), key=lambda found: found.package.name)
    gaps = (
        Gap(what=f"the file of {found.package.name} {found.package.version}", why=found.gap)
        for found in answers
        if found.gap
    )
    return tuple(found.package for found in answers), tuple(gaps)


class _Chooser:
    """Picks files for one machine; safe to ask from several threads."""

    def __init__(self, machine: Machine, store: Store) -> None:
        self._index = Index(machine.configuration, offline=machine.offline)
        self._priority = {tag: number for number, tag in enumerate(_tags.accepted(machine.interpreter))}
        self._store = store

    def choose(self, pin: Pin) -> _Answer:
        package = Package(name=pin.name, version=pin.version)
        if pin.url is not None:
            return self._by_address(package, pin)
        offered, why = self._offered(pin)
        best = [*compatible(offered, self._priority), *(f for f in offered if not f.file.endswith(".whl"))]
        if best:
            return self._take(package, best[0])
        return _Answer(package, why or "no file of it fits this Python and platform")

    def _offered(self, pin: Pin) -> tuple[tuple[IndexFile, ...], str]:
        """Its files as the lock names them with addresses, or those of the indexes with those digests."""
        named = {file.sha256: file for file in pin.files if file.sha256}
        if pin.files and all(file.url for file in pin.files):
            return tuple(
                IndexFile(file=f.file, url=str(f.url), sha256=f.sha256, index=pin.index) for f in pin.files
            ), ""
        allowed = {*pin.sha256, *named}
        why = ""
        try:
            found = self._index.remote(pin.name, pin.version, lambda files: bool(list(files)))
        except Unreachable as error:
            found, why = (), str(error)
        found = (*found, *self._index.local(pin.name, pin.version))
        right = tuple(file for file in found if not allowed or (file.sha256 or "") in allowed or file.path)
        if right or not named:
            return right, why
        return tuple(
            IndexFile(file=f.file, url="", sha256=f.sha256, index=pin.index) for f in named.values()
        ), why

    def _take(self, package: Package, file: IndexFile) -> _Answer:
        import msgspec

        if path := file.path:
            digest, _ = self._store.add_file(path)
            return _Answer(
                msgspec.structs.replace(
                    package, source="find-links", file=file.file, sha256=digest, vendored=True
                )
            )
        known = msgspec.structs.replace(
            package,
            source="find-links" if file.page else "index",
            file=file.file,
            sha256=file.sha256,
            url=file.url or None,
            index=file.index,
        )
        return _Answer(known, "" if file.sha256 else "its index gives no digest")

    def _by_address(self, package: Package, pin: Pin) -> _Answer:
        """Only files on servers with a digest can be had again."""
        import msgspec

        url = url_without_credentials(str(pin.url))
        file = unquote(urlsplit(url).path).rpartition("/")[2]
        known = msgspec.structs.replace(package, version=pin.version or _version(file), direct_url=url)
        if urlsplit(url).scheme not in {"http", "https"} or not pin.sha256:
            why = f"{url} is no address of a file with a digest, so nothing says what it is"
            return _Answer(known, why)
        return _Answer(msgspec.structs.replace(known, source="url", file=file, sha256=pin.sha256[0], url=url))


def _version(file: str) -> str:
    """The version in a file's name; ``0`` when it tells none."""
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    try:
        return str(parse_wheel_filename(file)[1] if file.endswith(".whl") else parse_sdist_filename(file)[1])
    except (InvalidWheelFilename, InvalidSdistFilename):
        return "0"

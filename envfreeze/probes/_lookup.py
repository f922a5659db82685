"""The file that installs a distribution again: from an index, from a folder, or made of what is installed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from envfreeze.errors import ProbeError
from envfreeze.probes import Target, _editable, _tags, _wheel
from envfreeze.probes._index import Index, IndexFile, Unreachable, sha256_of
from envfreeze.probes._proof import RemoteFile, installed_record, is_installed_from
from envfreeze.probes.pip import configuration
from envfreeze.records.environment import Package
from envfreeze.redact import url_without_credentials
from envfreeze.store import Store


class Answer(NamedTuple):
    """What was found of one distribution, and in words what was not."""

    package: Package
    gap: str = ""
    unreachable: str = ""
    """Which index could not be asked, and why."""


class Lookup:
    """Looks for the files of one target's distributions; safe to ask from several threads."""

    def __init__(self, target: Target) -> None:
        self._facts = target.facts
        self._index = Index(configuration(target), offline=target.offline)
        self._store = Store(target.project)
        accepted = _tags.accepted(target.facts["interpreter"])
        self._priority = {tag: number for number, tag in enumerate(accepted)}

    def look(self, said: dict[str, Any]) -> Answer:
        """The record of one distribution; what is not known of it is said, and never ends the freeze."""
        from packaging.utils import canonicalize_name

        package = Package(
            name=canonicalize_name(said["name"]), version=said["version"], installer=said["installer"] or None
        )
        try:
            return self._look(package, said)
        except Unreachable as error:
            return Answer(package, unreachable=str(error))
        except Exception as error:  # one odd distribution must not cost the others
            return Answer(package, gap=f"{type(error).__name__}: {error}")

    def _look(self, package: Package, said: dict[str, Any]) -> Answer:
        origin = _editable.direct_url(said)
        package = msgspec.structs.replace(package, direct_url=_public(origin))
        if said["installer"] == "conda":
            return Answer(msgspec.structs.replace(package, source="conda"))
        if _editable.is_editable(said):
            return self._rebuild(package, said, "editable")
        if "vcs_info" in origin:
            return self._rebuild(package, said, "vcs")
        if "dir_info" in origin:
            return self._rebuild(package, said, "local")
        if "archive_info" in origin:
            return self._archive(package, said, origin)
        return self._from_index(package, said)

    def _from_index(self, package: Package, said: dict[str, Any]) -> Answer:
        """The file with the installed wheel's tags; in doubt, the one whose RECORD is the installed one."""
        name, version = package.name, package.version
        here = self._index.local(name, version)
        local = _exact(here, said)
        try:
            offered = self._index.remote(name, version, lambda files: _exact(files, said) is not None)
        except Unreachable:
            if local:
                return self._take(package, local)
            if "+" in version:  # local versions are on few indexes (PEP 440), so waiting for one seldom helps
                return self._rebuild(package, said, "local")
            raise
        remote = _exact(offered, said)
        if local and (remote is None or self._is_another(local, remote, said)):
            return self._take(package, local)
        if remote:
            return self._take(package, remote)
        return self._by_content(package, said, (*offered, *here))

    def _is_another(self, local: IndexFile, remote: IndexFile, said: dict[str, Any]) -> bool:
        """True when a file of this machine is not the index's one of that name, and is the installed one."""
        path = local.path
        if path is None or (local.sha256 or sha256_of(path)) == remote.sha256:
            return False
        with path.open("rb") as wheel:
            return is_installed_from(wheel, installed_record(said["path"])) is True

    def _by_content(self, package: Package, said: dict[str, Any], offered: tuple[IndexFile, ...]) -> Answer:
        """No file has the installed tags: a wheel that was renamed, or one that was built on this machine."""
        record = installed_record(said["path"])
        unproven = None
        for file in self._compatible(offered):
            proven = self._is_installed(file, record) if record else None
            if proven:
                return self._take(package, file)
            unproven = unproven or (file if proven is None else None)
        if unproven:
            why = "the installed one does not tell its file; the best wheel of that version was taken"
            return self._take(package, unproven, gap=why)
        sources = [file for file in offered if not file.file.endswith(".whl")]
        if sources:
            why = (
                "it was built from source on this machine, and will be built again, with a compiler if needed"
            )
            return self._take(package, sources[0], gap=why)
        return self._rebuild(package, said, "local")

    def _compatible(self, offered: Iterable[IndexFile]) -> list[IndexFile]:
        """Wheels that the target accepts, best first."""
        ranked = []
        for file in offered:
            known = [self._priority[tag] for tag in _wheel_tags(file) if tag in self._priority]
            if known:
                ranked.append((min(known), file.file, file))
        return [file for _, _, file in sorted(ranked, key=lambda entry: entry[:2])]

    def _is_installed(self, file: IndexFile, record: str) -> bool | None:
        try:
            if path := file.path:
                with path.open("rb") as wheel:
                    return is_installed_from(wheel, record)
            remote = RemoteFile(self._index.client, file.url)
            return is_installed_from(io.BufferedReader(remote, 64 << 10), record)
        except OSError:
            return None

    def _archive(self, package: Package, said: dict[str, Any], origin: dict[str, Any]) -> Answer:
        """Installed from the address of one file (PEP 610, ``archive_info``)."""
        info, url = origin["archive_info"], str(origin.get("url", ""))
        digest = (info.get("hashes") or {}).get("sha256")
        digest = digest or str(info.get("hash", "")).partition("sha256=")[2] or None
        file = IndexFile(file=_last_part(url), url=url_without_credentials(url), sha256=digest)
        path = file.path
        if path and path.is_file() and (digest is None or sha256_of(path) == digest):
            if file.file.endswith(".whl"):
                return self._vendor(package, path, "local")
            return self._rebuild(package, said, "local")
        if path is None and digest:
            return Answer(
                msgspec.structs.replace(package, source="url", file=file.file, sha256=digest, url=file.url)
            )
        return self._rebuild(package, said, "local" if path else "url")

    def _take(self, package: Package, file: IndexFile, gap: str = "") -> Answer:
        if path := file.path:
            answer = self._vendor(package, path, "find-links")
            return answer._replace(gap=gap)
        known = msgspec.structs.replace(
            package,
            source="find-links" if file.page else "index",
            file=file.file,
            sha256=file.sha256 or self._download(file),
            url=file.url,
            index=file.index,
        )
        return Answer(known, gap)

    def _download(self, file: IndexFile) -> str:
        """Digest of a file whose index does not say it."""
        digest = hashlib.sha256()
        with self._index.client.get_stream(file.url) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                digest.update(chunk)
        return digest.hexdigest()

    def _vendor(self, package: Package, path: Path, source: Literal["find-links", "local"]) -> Answer:
        """Keep a file that lies on this machine only."""
        digest = sha256_of(path)
        if digest not in self._store:
            digest, _ = self._store.add_file(path)
        return Answer(
            msgspec.structs.replace(package, source=source, file=path.name, sha256=digest, vendored=True)
        )

    def _rebuild(
        self, package: Package, said: dict[str, Any], source: Literal["editable", "vcs", "local", "url"]
    ) -> Answer:
        """Make a wheel of the installed files."""
        package = msgspec.structs.replace(package, source=source)
        try:
            with self._store.temporary() as folder:
                path = _wheel.write(said, self._facts["interpreter"], self._facts["site"], folder)
                digest, _ = self._store.add_file(path)
        except (ProbeError, OSError) as error:
            return Answer(package, gap=f"no wheel could be made of it: {error}")
        return Answer(msgspec.structs.replace(package, file=path.name, sha256=digest, vendored=True))


def _exact(offered: Iterable[IndexFile], said: dict[str, Any]) -> IndexFile | None:
    """The wheel whose tags and build are those of the installed WHEEL file."""
    from packaging.tags import parse_tag

    installed = {tag for text in said["tags"] for tag in parse_tag(text)}
    for file in offered:
        if installed and _wheel_tags(file) == installed and _wheel_build(file) == said["build"]:
            return file
    return None


def _wheel_tags(file: IndexFile) -> frozenset[Any]:
    from packaging.tags import parse_tag

    parts = file.file.removesuffix(".whl").split("-")
    if not file.file.endswith(".whl") or len(parts) not in {5, 6}:
        return frozenset()
    return parse_tag("-".join(parts[-3:]))


def _wheel_build(file: IndexFile) -> str:
    parts = file.file.split("-")
    return parts[2] if len(parts) == 6 else ""


def _last_part(url: str) -> str:
    return unquote(urlsplit(url).path).rpartition("/")[2]


def _public(origin: dict[str, Any]) -> str | None:
    """The address of direct_url.json without credentials; with the commit for version control."""
    url = origin.get("url")
    if not url:
        return None
    vcs = origin.get("vcs_info") or {}
    prefix = f"{vcs['vcs']}+" if vcs.get("vcs") else ""
    commit = f"@{vcs['commit_id']}" if vcs.get("commit_id") else ""
    return f"{prefix}{url_without_credentials(str(url))}{commit}"

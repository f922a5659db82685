"""The file that installs a distribution again: from an index, from a folder, or made of what is installed."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from envfreeze.errors import ProbeError
from envfreeze.files import is_full
from envfreeze.probes import Target, _editable, _tags, _wheel
from envfreeze.probes._conda_meta import Owned
from envfreeze.probes._index import Index, IndexFile, Unreachable
from envfreeze.probes._kept import keep, recall, sha256_of
from envfreeze.probes._proof import Change
from envfreeze.probes._prover import Prover, with_proof
from envfreeze.probes._remote import RemoteFile
from envfreeze.probes.pip import configuration
from envfreeze.recipe.requirements import LEFT_OUT
from envfreeze.records.environment import Package, PackageSource
from envfreeze.redact import url_without_credentials
from envfreeze.store import Store


class Answer(NamedTuple):
    """What was found of one distribution, and in words what was not."""

    package: Package
    gap: str = ""
    unreachable: str = ""
    """Which index could not be asked, and why."""
    unproved: str = ""
    """Why it is not known whether the file is the installed one."""
    rebuilt: bool = False
    """True when the file was made of what is installed."""


class Lookup:
    """Looks for the files of one target's distributions; safe to ask from several threads."""

    def __init__(self, target: Target) -> None:
        self._facts = target.facts
        self._of_conda = Owned(target.facts["interpreter"])
        self._index = Index(configuration(target), offline=target.offline)
        self._store = Store(target.project)
        self._prover = Prover(self._store)
        self._prove, self._offline = target.prove, target.offline
        accepted = _tags.accepted(target.facts["interpreter"])
        self._priority = {tag: number for number, tag in enumerate(accepted)}

    def look(self, said: dict[str, Any]) -> Answer:
        """The record of one distribution; what is not known of it is said, and never ends the freeze."""
        from packaging.utils import canonicalize_name

        package = Package(
            name=canonicalize_name(said["name"]),
            version=said["version"],
            installer=said["installer"] or None,
            license=said.get("license") or "",
        )
        try:
            answer = self._look(package, said)
            return self._proved(answer, said) if self._prove else answer
        except Unreachable as error:
            return Answer(package, unreachable=str(error))
        except Exception as error:  # one odd distribution must not cost the others
            if is_full(error):
                raise
            return Answer(package, gap=f"{type(error).__name__}: {error}")

    def vendor(self, answer: Answer, said: dict[str, Any]) -> Answer:
        """Keep what is installed of a distribution whose index could not be asked.

        The wheel is what ran, edits and all; that an index has the same is not known, so it is unproved.
        """
        package = answer.package
        changed = self._prover.changes(said) if self._prove else ()
        made = self._rebuild(package, said, "local", complete=not changed)
        if not made.rebuilt:
            return answer._replace(gap=made.gap)
        if not self._prove:
            return made
        if changed:
            return made._replace(package=with_proof(made.package, "modified", changed))
        why = f"{answer.unreachable}; wheels were made of what is installed"
        return made._replace(package=with_proof(made.package, "unproved"), unproved=why)

    def _look(self, package: Package, said: dict[str, Any]) -> Answer:
        origin = _editable.direct_url(said)
        package = msgspec.structs.replace(package, direct_url=_public(origin))
        if said in self._of_conda:
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

    def _proved(self, answer: Answer, said: dict[str, Any]) -> Answer:
        """Hold the file that was found against what is installed; in doubt, what is installed is kept."""
        package = answer.package
        if not package.file:
            return answer
        changed = self._prover.changes(said)
        if answer.rebuilt:
            return answer._replace(package=with_proof(package, "modified" if changed else "proved", changed))
        opener = functools.partial(self._open, package)
        if any(not change.gone for change in changed):
            return self._modified(answer, said, changed)
        try:
            holds = package.file.endswith(".whl") and self._prover.holds(package.sha256, opener, said)
        except OSError as error:
            return answer._replace(package=with_proof(package, "unproved"), unproved=str(error))
        if not holds:
            return self._another(answer, said)
        if changed:
            gap = f"{_files(changed)} removed after the installation; a replay has what is missing"
            return answer._replace(package=with_proof(package, "modified", changed), gap=gap)
        return answer._replace(package=with_proof(package, "proved"))

    def _modified(self, answer: Answer, said: dict[str, Any], changed: tuple[Change, ...]) -> Answer:
        """Somebody edited installed files: keep them as they are, and what was edited for people."""
        package = answer.package
        patch = self._prover.patch(package, functools.partial(self._open, package), said, changed)
        if package.name in LEFT_OUT:
            return answer._replace(package=with_proof(package, "modified", changed, patch))
        made = self._rebuild(package, said, package.source, complete=False)
        if not made.rebuilt:
            gap = f"{_files(changed)} edited after the installation, and not kept: {made.gap}"
            return answer._replace(package=with_proof(package, "modified", changed, patch), gap=gap)
        return made._replace(package=with_proof(made.package, "modified", changed, patch), gap=answer.gap)

    def _another(self, answer: Answer, said: dict[str, Any]) -> Answer:
        """The file has the right name and another content: a wheel is made of the installed files instead."""
        package = answer.package
        made = self._rebuild(package, said, package.source)
        if made.rebuilt:
            return made._replace(package=with_proof(made.package, "proved"))
        why = "the files that the index has are not the installed ones"
        return answer._replace(package=with_proof(package, "unproved"), unproved=why)

    def _open(self, package: Package) -> IO[bytes]:
        """The wheel that a package's record names.

        Raises:
            OSError: it cannot be reached, or not in parts.
        """
        if package.vendored and package.sha256:
            return self._store.path(package.sha256).open("rb")
        return self._remote(str(package.url))

    def _remote(self, url: str) -> IO[bytes]:
        if self._offline:
            raise OSError("their wheels were not looked into (offline)")
        return io.BufferedReader(RemoteFile(self._index.client, url), 64 << 10)

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
        return self._is_installed(local, said) is True

    def _by_content(self, package: Package, said: dict[str, Any], offered: tuple[IndexFile, ...]) -> Answer:
        """No file has the installed tags: a wheel that was renamed, or one that was built on this machine."""
        unproven = None
        for file in compatible(offered, self._priority):
            proven = self._is_installed(file, said)
            if proven:
                return self._take(package, file)
            unproven = unproven or (file if proven is None else None)
        if unproven:
            why = "the installed one does not tell its file; the best wheel of that version was taken"
            return self._take(package, unproven, gap=why)
        made = self._rebuild(package, said, "local")
        sources = [file for file in offered if not file.file.endswith(".whl")]
        if not sources:
            return made
        if made.rebuilt:  # exactly what ran, without a compiler; the index's source is named beside it
            source, url, index = "index", sources[0].url, sources[0].index
            named = msgspec.structs.replace(made.package, source=source, url=url, index=index)
            return made._replace(package=named)
        why = "it was built from source on this machine, and will be built again, with a compiler if needed"
        return self._take(package, sources[0], gap=why)

    def _is_installed(self, file: IndexFile, said: dict[str, Any]) -> bool | None:
        path = file.path

        def opener() -> IO[bytes]:
            return path.open("rb") if path else self._remote(file.url)

        try:
            return self._prover.holds(file.sha256, opener, said)
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

    def _vendor(self, package: Package, path: Path, source: PackageSource) -> Answer:
        """Keep a file that lies on this machine only."""
        digest = sha256_of(path)
        if digest not in self._store:
            digest, _ = self._store.add_file(path)
        return Answer(
            msgspec.structs.replace(package, source=source, file=path.name, sha256=digest, vendored=True)
        )

    def _rebuild(
        self, package: Package, said: dict[str, Any], source: PackageSource, *, complete: bool = True
    ) -> Answer:
        """Make a wheel of the installed files; ``complete`` refuses when some of them are gone."""
        package = msgspec.structs.replace(package, source=source)
        try:
            file, digest = self._rebuilt(said, complete=complete)
        except (ProbeError, OSError) as error:
            if is_full(error):
                raise
            return Answer(package, gap=f"no wheel could be made of it: {error}")
        made = msgspec.structs.replace(package, file=file, sha256=digest, vendored=True)
        return Answer(made, rebuilt=True)

    def _rebuilt(self, said: dict[str, Any], *, complete: bool) -> tuple[str, str]:
        """Name and digest of the wheel in the store; made once for as long as nobody touches the files."""
        key = None if _editable.is_editable(said) else self._prover.state(said)
        known = recall(tuple[str, str], "rebuilt", key) if key else None
        if known and known[1] in self._store:
            return known
        with self._store.temporary() as folder:
            path = _wheel.write(
                said, self._facts["interpreter"], self._facts["site"], folder, complete=complete
            )
            digest, _ = self._store.add_file(path)
        if key:
            keep((path.name, digest), "rebuilt", key)
        return path.name, digest


def compatible(offered: Iterable[IndexFile], priority: Mapping[Any, int]) -> list[IndexFile]:
    """Wheels that the target accepts, best first; ``priority`` numbers its tags."""
    ranked = []
    for file in offered:
        known = [priority[tag] for tag in _wheel_tags(file) if tag in priority]
        if known:
            ranked.append((min(known), file.file, file))
    return [file for _, _, file in sorted(ranked, key=lambda entry: entry[:2])]


def _files(changed: Sequence[Change]) -> str:
    return f"{len(changed)} of its files were" if len(changed) > 1 else f"its file {changed[0].name} was"


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

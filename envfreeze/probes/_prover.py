"""The proof of each package: whether the file that the lock pins is what is installed."""

from __future__ import annotations

import difflib
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import msgspec

from envfreeze.probes._kept import keep, recall
from envfreeze.probes._proof import Change, changes, installed_record, is_installed_from, wheel_record
from envfreeze.records.environment import Package
from envfreeze.store import Store

LISTED = 20
"""Changed files that a lock names; the patch has all."""
MAX_TEXT = 1 << 20
"""Bytes of a file that is shown in a patch."""

Proof = Literal["proved", "modified", "unproved"]
Opener = Callable[[], IO[bytes]]
"""Opens a package's wheel, on this machine or on a server."""


class Prover:
    """Holds wheels against what is installed; answers are kept, so that a second freeze asks nobody."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def changes(self, facts: dict[str, Any]) -> tuple[Change, ...]:
        """Files that somebody edited or removed after the installation; none when there is no RECORD."""
        record = installed_record(facts["path"])
        try:
            return changes(facts, record) if record else ()
        except OSError:
            return ()

    def state(self, facts: dict[str, Any]) -> str | None:
        """Equal as long as the installed files are; None when there is no RECORD, or files are gone."""
        record = installed_record(facts["path"])
        changed = self.changes(facts)
        if not record or any(change.gone for change in changed):
            return None
        outside = (row.partition(",")[0] for row in record.splitlines() if row.startswith("../"))
        paths = [*self._paths(facts, changed), *(Path(facts["location"], name) for name in outside)]
        return "\n".join((facts["path"], record, *map(_state, paths)))

    def holds(self, digest: str | None, open_wheel: Opener, facts: dict[str, Any]) -> bool:
        """True when the wheel with this digest is the installed one, False when it is another one.

        Raises:
            OSError: it cannot be known, in words.
        """
        installed = installed_record(facts["path"])
        if not installed:
            raise OSError("they are installed without a RECORD of their files")
        answer = is_installed_from(self._record(digest, open_wheel), installed)
        if answer is None:
            raise OSError("their wheels or installed RECORDs give no digests")
        return answer

    def patch(
        self, package: Package, open_wheel: Opener, facts: dict[str, Any], changed: Sequence[Change]
    ) -> str | None:
        """Digest of the stored difference between the wheel's files and the installed ones, as text."""
        key = ("patch", package.sha256 or "", *map(_state, self._paths(facts, changed)))
        digest = recall(str, *key)
        if digest is None or digest not in self._store:
            try:
                with open_wheel() as wheel, zipfile.ZipFile(wheel) as archive:
                    texts = [_difference(archive, facts["location"], change) for change in changed]
            except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
                return None
            digest = self._store.add_bytes("".join(texts).encode("utf-8", "surrogateescape"))
            keep(digest, *key)
        return digest

    def _record(self, digest: str | None, open_wheel: Opener) -> str:
        known = recall(str, "record", digest) if digest else None
        if known is None:
            with open_wheel() as wheel:
                known = wheel_record(wheel)
            if digest:
                keep(known, "record", digest)
        return known

    def _paths(self, facts: dict[str, Any], changed: Sequence[Change]) -> list[Path]:
        return [Path(facts["location"], change.name) for change in changed]


def names(changed: Sequence[Change]) -> tuple[str, ...]:
    """What a lock says of changed files: the first by name, and how many more."""
    listed = [f"{change.name} (removed)" if change.gone else change.name for change in changed]
    more = len(listed) - LISTED
    return (*listed[:LISTED], f"and {more} more") if more > 0 else tuple(listed)


def _state(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return f"{path} gone"
    return f"{path} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _difference(archive: zipfile.ZipFile, location: str, change: Change) -> str:
    """A unified diff of one file, or a line that says that it is no text."""
    if change.gone:
        return f"Only in the wheel: {change.name}\n"
    try:
        before = _lines(io.BytesIO(archive.read(change.name)))
        with Path(location, change.name).open("rb") as stream:
            after = _lines(stream)
    except (KeyError, ValueError):
        return f"Binary files a/{change.name} and b/{change.name} differ\n"
    lines = difflib.unified_diff(before, after, f"a/{change.name}", f"b/{change.name}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _lines(stream: IO[bytes]) -> list[str]:
    """Lines of a text.

    Raises:
        ValueError: it is no text in UTF-8, or a very long one.
    """
    data = stream.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT or b"\0" in data:
        raise ValueError("no short text")
    return data.decode("utf-8").splitlines(keepends=True)


def with_proof(
    package: Package, proof: Proof, changed: Sequence[Change] = (), patch: str | None = None
) -> Package:
    """The package with what was found."""
    return msgspec.structs.replace(package, proof=proof, modified=names(changed), patch=patch)

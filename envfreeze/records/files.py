"""Files by content: one entry a file, and sets of them whose full list may lie in the store."""

from __future__ import annotations

from pathlib import PurePosixPath

from envfreeze.records.base import Bytes, Record, Sha256

_NEVER_PART = frozenset({"", ".", ".."})


def refuse_unless_plain(path: str) -> None:
    """Let only normal paths through: none that climbs with ``..`` or has empty or ``.`` parts.

    Raises:
        ValueError: in words for the user; msgspec adds the field's place.
    """
    if _NEVER_PART.isdisjoint(path.removeprefix("/").split("/")) and "\0" not in path:
        return  # the usual case: a lock may hold 100,000 paths
    parts = PurePosixPath(path).parts
    if not parts or "\0" in path or ".." in parts or path != str(PurePosixPath(path)):
        raise ValueError(f"{path!r} is not a plain path inside the project or an absolute one")


class FileEntry(Record):
    """One file of a run: where it lay and which content it had.

    ``path`` is relative to the project folder, or absolute when the file lay outside of it. A name that is
    not valid UTF-8 is written with Python's ``surrogateescape`` as ``\\udcXX`` code points (PEP 383).
    """

    path: str
    size: Bytes = 0
    sha256: Sha256 | None = None
    executable: bool = False
    link: str | None = None
    """Target of a symbolic link; then there is no content of its own."""
    kind: str = ""
    """What the file is to the run: a class of ``observer/classes.toml``, for example ``data`` or ``code``."""
    origin: str | None = None
    """Where the content comes from when only its digest was recorded, and nothing is in the store."""
    altered: bool = False
    """True when identities in it were replaced for anonymous review, so that it is not what the run had."""

    def __post_init__(self) -> None:
        refuse_unless_plain(self.path)
        if (self.sha256 is None) == (self.link is None):
            raise ValueError(f"{self.path!r} needs either a sha256 or a link target")


class FileSet(Record):
    """Some files; ``manifest`` is the stored JSON list of all entries, repeated in ``entries`` when short."""

    count: int = 0
    size: Bytes = 0
    manifest: Sha256 | None = None
    entries: tuple[FileEntry, ...] = ()


class StreamEntry(Record):
    """What a command wrote to standard output or standard error."""

    size: Bytes = 0
    sha256: Sha256
    terminal: bool = False
    """True when the command saw a terminal there, as programs print differently then."""
    altered: bool = False
    """As of ``FileEntry``."""


class Gap(Record):
    """Something that could not be captured, said in words: ``what`` is not known, and ``why``."""

    what: str
    why: str

"""Whether the files of a conda package are as they were linked, by the digests of its record.

As with wheels (see ``_proof``) a file is read only when it has another size or was touched after the record
was written, and the answer is remembered for as long as nobody touches the files again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from envfreeze.files import in_parallel, sha256
from envfreeze.probes._conda_meta import Meta, PathEntry
from envfreeze.probes._kept import keep, recall
from envfreeze.probes._proof import Change


def shared(metas: Iterable[Meta]) -> frozenset[str]:
    """Paths that several packages bring: which one won is in no record, so that they prove nothing."""
    counts = Counter(entry.path for meta in metas for entry in meta.paths_data.paths)
    return frozenset(path for path, number in counts.items() if number > 1)


def changes(
    prefix: Path, record: Path, meta: Meta, *, left_out: frozenset[str] = frozenset()
) -> tuple[Change, ...] | None:
    """Files that are not what the record says; None when it has no digests, or pip took the package's place.

    Bytecode does not count: Python makes it anew as it likes.

    Raises:
        OSError: a file cannot be read.
    """
    entries = [
        entry
        for entry in meta.paths_data.paths
        if entry.path not in left_out and entry.sha256 and not entry.path.endswith(".pyc")
    ]
    if not entries or _is_replaced(prefix, meta):
        return None
    written = record.stat()
    gone, suspects, states = [], [], []
    for entry in entries:
        path = f"{prefix}/{entry.path}"
        try:
            now = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            gone.append(entry.path)
            continue
        newer = now.st_mtime_ns > written.st_mtime_ns or now.st_ctime_ns > written.st_ctime_ns
        if newer or _has_another_size(entry, now.st_size):
            suspects.append((path, entry))
            states.append((entry.path, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns))
    edited = _edited(suspects, ("conda", str(record), str(written.st_mtime_ns), repr(states)))
    found = [Change(name, gone=False) for name in edited] + [Change(name, gone=True) for name in gone]
    return tuple(sorted(found))


def _is_replaced(prefix: Path, meta: Meta) -> bool:
    """True when the metadata of its distribution is gone: pip installed another version over it."""
    own = [path for path in meta.files if path.endswith((".dist-info/METADATA", ".egg-info/PKG-INFO"))]
    return any(not (prefix / path).exists() for path in own)


def _has_another_size(entry: PathEntry, size: int) -> bool:
    """A text that the prefix was written into may have any size."""
    known = entry.size_in_bytes
    return entry.path_type == "hardlink" and not entry.prefix_placeholder and known not in (None, size)


def _edited(suspects: list[tuple[str, PathEntry]], key: tuple[str, ...]) -> list[str]:
    if not suspects:
        return []
    known = recall(list[str], *key)
    if known is None:
        answers = in_parallel(_is_edited, suspects, workers=2)
        known = [entry.path for (_, entry), edited in zip(suspects, answers, strict=True) if edited]
        keep(known, *key)
    return known


def _is_edited(suspect: tuple[str, PathEntry]) -> bool:
    """A link has the digest of what it leads to; one to a folder has none."""
    path, entry = suspect
    if not os.path.isfile(path):  # noqa: PTH113 - tens of thousands of files
        return False
    return sha256(path) != (entry.sha256_in_prefix or entry.sha256)

"""Takes into the store what a run read and what it made, each file with its class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from envfreeze import tree
from envfreeze.observer import inputs, outputs
from envfreeze.observer.capture import DataOptions, store_outside
from envfreeze.observer.classes import DOWNLOAD, Classes
from envfreeze.observer.outside import data_of, downloads_of, unrecorded_outputs
from envfreeze.observer.patterns import matches_one
from envfreeze.records.files import FileEntry, Gap
from envfreeze.store import Store

if TYPE_CHECKING:
    from envfreeze.observer.watch import Run

_TOLD_OF_OUTPUTS = frozenset({"weights", "cache", "temporary"})


class Collected(NamedTuple):
    """What a run read and made, as it lies in the store now."""

    read: tuple[FileEntry, ...]
    made: tuple[FileEntry, ...]
    gaps: tuple[Gap, ...]


def collect(
    run: Run,
    kept: Path,
    patterns: Sequence[str],
    outside_before: Mapping[str, tree.Stat],
    outside_after: Mapping[str, tree.Stat],
    classes: Classes,
    data: DataOptions,
    *,
    began: int,
) -> Collected:
    """Sort what the run used, and store it.

    Args:
        kept: folder of the copies that were made before files were overwritten.
        patterns: what counts as an output.
        outside_before: what the patterns matched outside of the project before the run.
        outside_after: the same after it.
        began: the start of the run, ns since the epoch.

    Raises:
        OSError: the store cannot be written.
    """
    locator = inputs.Locator(run.project, run.before)
    downloads = downloads_of(run.events, classes, locator, run.before)
    downloads = [path for path in downloads if not any(matches_one(path, pattern) for pattern in patterns)]
    paths, outside, untraced_gaps = _read(run, locator)
    entries, gaps = inputs.store_inputs(
        paths,
        run.before,
        run.after,
        kept,
        run.project,
        run.store,
        classes=classes,
        referenced=data.referenced,
    )
    roots = (str(run.project), os.path.realpath(run.project))
    elsewhere = str(kept.parent / "elsewhere")
    data_elsewhere = data_of(outside, run.events, run.environment, classes, began=began, copies=elsewhere)
    far = data_elsewhere.unchanged
    far = [path for path in far if path not in outside_after or path in outside_before]
    far += [path for path in downloads if path.startswith("/")]
    far_entries, far_gaps = store_outside(far, roots, run.store, classes, data)
    earlier, earlier_gaps = _earlier(data_elsewhere.overwritten, elsewhere, run.store, classes)
    earlier_gaps += inputs.lost_states(data_elsewhere.lost)
    fetched, fetched_gaps = outputs.store_files(
        [path for path in downloads if not path.startswith("/")],
        run.project,
        run.store,
        what="the file",
        classes=classes,
        referenced=data.referenced,
    )
    as_downloads = frozenset(downloads)
    made, made_gaps = _made(run, patterns, as_downloads, outside_before, outside_after, classes)
    recorded = {*outside_after, *downloads}
    left = unrecorded_outputs(run.events, recorded, run.environment, str(run.project), classes)
    read = {entry.path: entry for entry in (*entries, *earlier, *far_entries, *fetched)}
    return Collected(
        tuple(_with_kind(entry, classes, as_downloads) for _, entry in sorted(read.items())),
        made,
        (*untraced_gaps, *gaps, *far_gaps, *earlier_gaps, *fetched_gaps, *left, *made_gaps),
    )


def _earlier(
    paths: Sequence[str], copies: str, store: Store, classes: Classes
) -> tuple[list[FileEntry], list[Gap]]:
    """Files outside of the project as they were before the run changed them."""
    secret = [path for path in paths if classes.is_secret(path)]
    gaps = outputs.store_files(secret, "/", store, what="the file", classes=classes)[1]
    plain = [path.lstrip("/") for path in paths if path not in secret]
    entries, more = outputs.store_files(plain, copies, store, what="the file", classes=classes)
    return [msgspec.structs.replace(entry, path=f"/{entry.path}") for entry in entries], gaps + more


def _with_kind(entry: FileEntry, classes: Classes, downloads: frozenset[str]) -> FileEntry:
    if entry.link is not None:
        return entry
    kind = DOWNLOAD if entry.path in downloads else classes(entry.path)
    return msgspec.structs.replace(entry, kind=kind)


def _read(run: Run, locator: inputs.Locator) -> tuple[set[str], set[str], list[Gap]]:
    """Files of the project that were read or may have been, paths elsewhere, and what is not known."""
    named = inputs.named_in_command(run.command, run.directory)
    in_project = [path for path in named if locator.relative(path) is not None]
    reads = inputs.what_was_read(run.events, in_project, locator, run.before)
    paths, gaps = set(reads.inside), []
    if run.untraced or run.compiled or run.events.lost:
        small, large = inputs.possibly_read(run.before, run.after)
        large -= len([path for path in paths if path not in small and path in run.after.files])
        paths |= small
        gaps += _untraced_gaps(run, max(large, 0))
        unseen = inputs.overwritten_unseen(run.events, run.before, run.after, locator)
        gaps += inputs.lost_states([path for path in unseen if path not in paths])
    return paths, reads.outside, gaps


def _untraced_gaps(run: Run, large: int) -> list[Gap]:
    kept = "so every file of the project up to 1 MiB is recorded as possibly read"
    left = f"; {large} larger or changed files are not" if large else ""
    gaps = []
    if run.compiled:
        why = f"{_shown(run.compiled)}: what they open by themselves is unknown, {kept}{left}"
        gaps.append(
            Gap(what="this installation has no shim, so that compiled modules were not traced", why=why)
        )
    if not run.untraced:
        return gaps
    if run.unseen_python and not run.shimmed:
        why = f"{run.unseen_python} did not load the observer (options -I, -E or -S, or older than 3.8)"
        return [*gaps, Gap(what="files that the command read were not seen", why=f"{why}, {kept}{left}")]
    what = "programs other than Python were not traced"
    if run.shimmed:
        what = "static or privileged programs were not traced"
    hint = "" if run.ended.trace else "; freeze --trace deep sees them"
    why = f"{_shown(run.untraced)}: what they read is unknown, {kept}{left}{hint}"
    return [*gaps, Gap(what=what, why=why)]


def _shown(names: Sequence[str]) -> str:
    return outputs.printable(", ".join(names[:5]) + (", …" if len(names) > 5 else ""))


def _made(
    run: Run,
    patterns: Sequence[str],
    downloads: frozenset[str],
    outside_before: Mapping[str, tree.Stat],
    outside_after: Mapping[str, tree.Stat],
    classes: Classes,
) -> tuple[tuple[FileEntry, ...], list[Gap]]:
    inside = tree.changed(run.before.files, run.after.files)
    outside = tree.changed(dict(outside_before), dict(outside_after))
    made = [path for path in (*inside, *outside) if path not in downloads]
    paths = [path for path in made if outputs.matches(path, patterns)]
    entries, gaps = outputs.store_files(paths, run.project, run.store, what="the output", classes=classes)
    return tuple(_with_kind_of_output(entries, classes)), gaps


def _with_kind_of_output(entries: Iterable[FileEntry], classes: Classes) -> Iterable[FileEntry]:
    """An output's class is told only where it is more than that."""
    for entry in entries:
        kind = classes(entry.path)
        yield msgspec.structs.replace(entry, kind=kind) if kind in _TOLD_OF_OUTPUTS else entry

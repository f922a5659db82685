"""The stores among two sets of outputs: those of their files that differ become one output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from envfreeze.compare import NotThisKind, Options
from envfreeze.compare._policy import for_path
from envfreeze.compare._stores import Store, compare_store, stores
from envfreeze.compare.bytes import parting, same_small
from envfreeze.files import in_parallel
from envfreeze.records.comparison import OutputComparison


def compare_stores(
    originals: Mapping[str, Path], replays: Mapping[str, Path], reasons: Mapping[str, str], options: Options
) -> tuple[list[OutputComparison], dict[str, str]]:
    """One output for each store whose files differ, called as the store is.

    Files that are the same are left to be listed one by one, and so are all files of a store of which some
    are ignored or not to be had.

    Returns:
        These outputs; and by path each file that differs: an empty word when such an output stands for it,
        or why it has to be compared alone.
    """
    found: list[OutputComparison] = []
    words: dict[str, str] = {}
    for store in stores(originals, replays):
        if any(name in reasons or for_path(options, name)[1] for name in store.names):
            continue
        differing = _differing(store, originals, replays)
        if not differing:
            continue
        try:
            found.append(_output(store, len(differing), options))
        except NotThisKind as error:
            words.update(dict.fromkeys(differing, str(error)))
        else:
            words.update(dict.fromkeys(differing, ""))
    return found, words


def _differing(store: Store[Path], originals: Mapping[str, Path], replays: Mapping[str, Path]) -> list[str]:
    names = sorted(store.names)

    def differs(name: str) -> bool:
        one, two = originals.get(name), replays.get(name)
        if one is None or two is None:
            return True
        try:
            return same_small(one, two) is None and parting(one, two) is not None
        except OSError:
            return True

    return [name for name, changed in zip(names, in_parallel(differs, names), strict=True) if changed]


def _output(store: Store[Path], differing: int, options: Options) -> OutputComparison:
    chosen = for_path(options, next(name for name in sorted(store.names)))[0]
    name = store.root or "."
    finding = compare_store(store, lambda file, target: target.symlink_to(file.absolute()), chosen)
    count = f"{differing} of {len(store.names)} files differ"
    return OutputComparison(
        path=name,
        verdict=finding.verdict,
        reason=f"{finding.reason} ({count})",
        comparator=store.comparator.name,
        original_size=_size(store.original),
        replay_size=_size(store.replay),
        set_aside=finding.set_aside,
        differences=finding.differences,
    )


def _size(files: Mapping[str, Path]) -> int:
    return sum(path.stat().st_size for path in files.values())

"""Outputs that are several files, such as a zarr folder or a checkpoint of TensorFlow, compared as one.

Which files belong together, a comparator says by their names (``Comparator.stores``); what they are, it finds
out by their contents, and where it cannot, the files are compared one by one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from envfreeze.compare import Comparator, Finding, NotThisKind, Options
from envfreeze.compare._contents import comparators, compare_folders
from envfreeze.compare._limits import is_full, no_room

T = TypeVar("T")


class Store(NamedTuple, Generic[T]):
    """Files that belong together on both sides, by their paths inside of the store."""

    comparator: Comparator
    root: str
    """What the store is called by; empty when it is all that there is."""
    original: dict[str, T]
    replay: dict[str, T]
    names: frozenset[str]
    """Of all its files, as they are called outside of the store."""


def stores(originals: Mapping[str, T], replays: Mapping[str, T]) -> list[Store[T]]:
    """The stores that both sides have; a file belongs to one at most."""
    found: list[Store[T]] = []
    taken: set[str] = set()
    for comparator in comparators():
        if comparator.stores is None:
            continue
        sides = [comparator.stores(names) for names in (originals, replays)]
        for root in sorted(set(sides[0]) & set(sides[1])):
            members = [set(side[root]) for side in sides]
            names = frozenset(members[0] | members[1])
            if not names & taken and all(map(_is_plain, names)):
                taken |= names
                pairs = zip((originals, replays), members, strict=True)
                one, two = ({_inside(name, root): side[name] for name in group} for side, group in pairs)
                found.append(Store(comparator, root, one, two, names))
    return found


def _inside(name: str, root: str) -> str:
    """The path inside of a store: below its folder, or beside other files that begin with the same name."""
    folder = f"{root}/" if not root or name.startswith(f"{root}/") else root.rpartition("/")[0] + "/"
    return name.removeprefix(folder)


def _is_plain(name: str) -> bool:
    """True for a path that stays where it is put."""
    return not {"", ".", ".."} & set(name.removeprefix("/").split("/")) and "\0" not in name


def compare_store(store: Store[T], put: Callable[[T, Path], None], options: Options) -> Finding:
    """What the store's comparator finds; ``put`` lays a file where the comparator can read it.

    Raises:
        NotThisKind: the files are to be compared one by one.
        EnvironmentFailure: the disk has no room.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-") as place:
            folders = Path(place, "original"), Path(place, "replay")
            for folder, files in zip(folders, (store.original, store.replay), strict=True):
                for inside, file in files.items():
                    target = folder / inside
                    target.parent.mkdir(parents=True, exist_ok=True)
                    put(file, target)
            return compare_folders(store.comparator, *folders, options)
    except OSError as error:
        if is_full(error):
            raise no_room() from None
        raise NotThisKind(f"not compared as {store.comparator.name}: {error.strerror}") from None

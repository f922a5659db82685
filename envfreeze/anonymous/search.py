"""A bundle searched for identities: by its author before it is written, and by anybody afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from envfreeze.anonymous.content import Seen, find
from envfreeze.anonymous.contents import mapped
from envfreeze.anonymous.formats import TooMuch, collected
from envfreeze.anonymous.identities import Identity, words_of
from envfreeze.anonymous.names import Names
from envfreeze.bundle.reading import Reader
from envfreeze.errors import InputError
from envfreeze.records.artifact import Search
from envfreeze.records.lock import Lock

SHOWN = 5
_MOST = 1000
_LEAST_BUDGET = 4 << 30
"""Bytes that a bundle may always unpack to."""
_PUBLIC = frozenset({"pypi.org", "download.pytorch.org", "pypi.nvidia.com"})
"""Hosts of indexes that are nobody's own."""
_LAYERS = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


def search(path: Path, identities: Iterable[Identity], *, public: frozenset[str] = frozenset()) -> Search:
    """Every place of an identity in a bundle, inside of archives, streams and encodings too.

    Args:
        public: digests of packages that an index offers: their bytes are the same for everybody, so that a
            name in them says nothing of who packed them.

    Raises:
        InputError: it is no bundle, or built to do harm.
    """
    names = Names(identities)
    distinct = Names(one for one in names.identities if len(words_of(one.text)) > 1)
    places: list[str] = []
    in_public: list[str] = []
    with Reader(path) as reader:
        seen = Seen(max(_LEAST_BUDGET, 40 * path.stat().st_size))
        for name in (*reader.files, *reader.links):
            hidden = names.text(name)
            places += [
                f"the name of {hidden}: {_what(names, m.identity)}" for m in names.matches(name.encode())
            ]
        for name in reader.files:
            try:
                data = collected(reader.chunks(name), seen.budget)
            except TooMuch:
                seen.closed.append(f"{name} (too large once it is unpacked)")
                continue
            is_layer = "/image/blobs/" in name and data[:4].startswith(_LAYERS)
            used = distinct if is_layer else names
            found = [
                f"{place.where}: {_what(used, place.identity)}" for place in find(used, data, name, seen)
            ]
            (in_public if reader.sums.get(name) in public else places).extend(found)
            if len(places) > _MOST:
                break
    if not places and not in_public:
        with mapped(path) as whole:  # what belongs to no member
            found = [_what(distinct, match.identity) for match in distinct.matches(whole)]
            places += [f"the archive itself: {what}" for what in found]
    return Search(
        identities=len(names.identities),
        places=tuple(dict.fromkeys(places)),
        public=tuple(dict.fromkeys(in_public)),
        closed=tuple(seen.closed),
        files=seen.files,
        opened=seen.opened,
    )


def public(locks: Iterable[Lock]) -> frozenset[str]:
    """Digests of packages that everybody gets from an index in the same bytes."""
    return frozenset(
        package.sha256
        for lock in locks
        for package in lock.packages
        if package.sha256
        and package.source == "index"
        and package.proof != "modified"
        and (package.index is None or urlsplit(package.index).hostname in _PUBLIC)
    )


def _what(names: Names, number: int) -> str:
    identity = names.identities[number]
    return f"{identity.text!r} ({identity.what})"


def refuse(found: Search) -> None:
    """Let only a bundle through in which nothing is left.

    Raises:
        InputError: something is.
    """
    if found.places:
        more = len(found.places) - SHOWN
        shown = "; ".join(found.places[:SHOWN]) + (f"; and {more} more places" if more > 0 else "")
        raise InputError(
            f"the bundle would not be anonymous: {shown}.",
            hint="Remove it from that file and freeze again, or leave that file out of the run.",
        )

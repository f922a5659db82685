"""Containers, member by member; each member is compared as a file of its kind would be."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from envfreeze.compare import Finding, NotThisKind, Options
from envfreeze.compare._contents import compare_contents, deeper
from envfreeze.compare._limits import MAX_MEMBERS, budget, no_room
from envfreeze.compare._stores import compare_store, stores
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally, shown
from envfreeze.files import CHUNK, stop_if_told
from envfreeze.records.base import Record
from envfreeze.records.verdict import Verdict


class Member(Record):
    """Something in a container."""

    name: str
    size: int
    """As the container says; not to be trusted."""
    open: Callable[[], IO[bytes]] | None = None
    """None for a folder, a link, a device."""
    facts: dict[str, str] = {}
    """What else counts: type, permissions, target of a link."""
    asides: dict[str, str] = {}
    """Non-results such as its time, by the name that they are listed under."""


def compare_members(
    original: Iterable[Member], replay: Iterable[Member], options: Options, tally: Tally | None = None
) -> Finding:
    """Members by name; their order is no result.

    Raises:
        NotThisKind: there are too many, one name comes twice, or they unpack to too much.
    """
    tally, inner = tally or Tally(options), deeper(options)
    ones, twos = _by_name(original), _by_name(replay)
    if list(ones) != list(twos) and set(ones) == set(twos):
        tally.aside("order of members")
    words = _stores(ones, twos, inner, tally)
    for name in ones:
        if name not in twos and name not in words:
            tally.differ(shown(name), _brief(ones[name]), "", ONLY_ORIGINAL)
    for name in twos:
        if name not in ones and name not in words:
            tally.differ(shown(name), "", _brief(twos[name]), ONLY_REPLAY)
    with tempfile.TemporaryDirectory(prefix="envfreeze-") as folder:
        for name in ones:
            if name in twos:
                _facts(shown(name), ones[name], twos[name], tally)
                if name not in words:
                    _compare(name, ones[name], twos[name], inner, Path(folder), tally)
    return tally.finding("the same members; the container's own bytes differ")


def _stores(
    ones: dict[str, Member], twos: dict[str, Member], options: Options, tally: Tally
) -> frozenset[str]:
    """Compare members that belong together (``_stores``); the names of those that are thereby done."""
    done: set[str] = set()
    files = [{name: member for name, member in side.items() if member.open} for side in (ones, twos)]
    for store in stores(*files):
        same = set(store.original) == set(store.replay)
        if same and all(_same(one, store.replay[name]) for name, one in store.original.items()):
            continue
        try:
            finding = compare_store(store, lambda member, target: unpack(member.open, target), options)
        except NotThisKind as error:
            tally.remark(str(error))
        else:
            tally.include(shown(store.root), finding)
            done |= store.names
    return frozenset(done)


def _facts(where: str, one: Member, two: Member, tally: Tally) -> None:
    for fact in {**one.facts, **two.facts}:
        first, second = one.facts.get(fact, ""), two.facts.get(fact, "")
        if first != second:
            tally.differ(where, first, second, fact)
    for aside in {**one.asides, **two.asides}:
        if one.asides.get(aside) != two.asides.get(aside):
            tally.aside(aside)


def _compare(name: str, one: Member, two: Member, options: Options, folder: Path, tally: Tally) -> None:
    where = shown(name)
    if one.open is None or two.open is None or _same(one, two):
        return
    paths = folder / "original", folder / "replay"
    for member, path in zip((one, two), paths, strict=True):
        unpack(member.open, path)
    judged = compare_contents(*paths, options, name)
    if judged.finding.verdict is Verdict.UNCOMPARED:
        raise NotThisKind(judged.finding.reason)
    tally.include(where, judged.finding)


def _same(one: Member, two: Member) -> bool:
    assert one.open is not None and two.open is not None
    with one.open() as first, two.open() as second:
        while True:
            stop_if_told()
            chunk = _read(first)
            budget().spend(2 * len(chunk))
            if chunk != _read(second):
                return False
            if not chunk:
                return True


def _read(stream: IO[bytes]) -> bytes:
    """The next ``CHUNK`` bytes, fewer only at the end; decompressors may give less at a time."""
    parts, missing = [], CHUNK
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def unpack(opener: Callable[[], IO[bytes]] | None, target: Path) -> None:
    """Write what the stream gives to a new file.

    Raises:
        NotThisKind: the budget is spent.
        EnvironmentFailure: the disk would be full; that says nothing about the outputs.
    """
    assert opener is not None
    target.unlink(missing_ok=True)  # what is still mapped keeps its own file
    with opener() as source, target.open("wb") as stream:
        while chunk := _read(source):
            stop_if_told()
            budget().spend(len(chunk))
            if shutil.disk_usage(target.parent).free < 4 * len(chunk):
                raise no_room()
            stream.write(chunk)


def _by_name(members: Iterable[Member]) -> dict[str, Member]:
    result: dict[str, Member] = {}
    for member in members:
        if member.name in result:
            raise NotThisKind(f"it has two members of the name {shown(member.name)!r}")
        if len(result) >= MAX_MEMBERS:
            raise NotThisKind(f"it has more than {MAX_MEMBERS} members")
        result[member.name] = member
    return result


def _brief(member: Member) -> str:
    return f"{member.size} bytes" if member.open else member.facts.get("type", "no file")

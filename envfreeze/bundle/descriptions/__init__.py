"""Descriptions of a bundle in other people's formats; each is one member of the archive.

To add one, add a file with ``DESCRIPTION = Description(…)``; the registry finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from envfreeze.errors import InputError
from envfreeze.records.artifact import Bundle
from envfreeze.records.base import Record
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import ProcessEntry
from envfreeze.store import Store


class Run(Record):
    """What an experiment's run read and made, by the content that the bundle has of it."""

    files: tuple[FileEntry, ...] = ()
    outputs: tuple[FileEntry, ...] = ()
    processes: tuple[ProcessEntry, ...] = ()


class Described(Record):
    """What there is to be described."""

    bundle: Bundle
    locks: dict[str, Lock]
    """The lock of each experiment, by its name."""
    members: dict[str, tuple[str, int]]
    """Digest and size of each member that is there, by its name."""
    runs: dict[str, Run] = {}
    """By the experiment's name."""


class Description(Record):
    """One format."""

    name: str
    """The member's name, for example ``sbom.cdx.json``."""
    package: str
    """The library that writes it."""
    write: Callable[[Described], str]
    """The whole text; the same bundle gives the same text.

    Raises:
        ImportError: ``package`` is not installed.
    """


def run_of(lock: Lock, store: Store) -> Run:
    """The lists that a lock refers to.

    Raises:
        InputError: one of them is missing or damaged.
    """
    run = lock.run
    if run is None:
        return Run()
    processes: tuple[ProcessEntry, ...] = ()
    if run.process_tree is not None:
        data = store.verified(run.process_tree, what="the list of programs").read_bytes()
        try:
            processes = msgspec.json.decode(data, type=tuple[ProcessEntry, ...])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise InputError(f"the list of programs in the store is not readable: {error}.") from None
    return Run(
        files=store.entries(run.files, what="recorded files"),
        outputs=store.entries(run.outputs, what="original outputs"),
        processes=processes,
    )


def describe(described: Described) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Text of each member, and a word on those whose library is not installed."""
    from envfreeze.bundle import descriptions
    from envfreeze.registry import members

    made, missing = {}, []
    for member in members(descriptions, "DESCRIPTION", Description):
        try:
            made[member.name] = member.write(described)
        except ImportError:
            missing.append(f"{member.name} is not in the bundle: it takes pip install 'envfreeze[bundle]'")
    return made, tuple(missing)

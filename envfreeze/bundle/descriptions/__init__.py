"""Descriptions of a bundle in other people's formats; each is one member of the archive.

To add one, add a file with ``DESCRIPTION = Description(…)``; the registry finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from envfreeze.records.artifact import Bundle
from envfreeze.records.base import Record
from envfreeze.records.lock import Lock


class Described(Record):
    """What there is to be described."""

    bundle: Bundle
    locks: dict[str, Lock]
    """The lock of each experiment, by its name."""
    members: dict[str, tuple[str, int]]
    """Digest and size of each member that is there, by its name."""


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


def describe(described: Described) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Text of each member, and a word on those whose library is not installed."""
    from envfreeze.bundle import descriptions
    from envfreeze.registry import members

    made, missing = {}, []
    for member in members(descriptions, "DESCRIPTION"):
        if isinstance(member, Description):
            try:
                made[member.name] = member.write(described)
            except ImportError:
                missing.append(
                    f"{member.name} is not in the bundle: it takes pip install 'envfreeze[bundle]'"
                )
    return made, tuple(missing)

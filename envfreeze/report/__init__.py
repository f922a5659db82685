"""Reports: what is said of a comparison, for people and for other programs.

To add a format, add a file with ``FORMAT = Format(…)``; the registry finds it. A format gets a ``Report`` and
returns text; everything in it that came from outputs is escaped by the format's own rules.
"""

from __future__ import annotations

from collections.abc import Callable

from envfreeze.records.base import Record
from envfreeze.records.report import Report


class Format(Record):
    """One way to write a report down."""

    name: str
    suffixes: tuple[str, ...]
    """File name suffixes that ask for it, for example ``.html``."""
    render: Callable[[Report], str]
    """The whole text; equal reports give equal text."""


def formats() -> dict[str, Format]:
    """Every format by its name."""
    from envfreeze import report
    from envfreeze.registry import members

    found = members(report, "FORMAT", Format)
    return {member.name: member for member in found}


def format_for(name: str | None, file_name: str) -> Format:
    """The format of that name, or else the one that the file's suffix asks for.

    Raises:
        InputError: there is no such format.
    """
    from envfreeze.errors import InputError

    known = formats()
    if name is not None and name in known:
        return known[name]
    if name is None:
        for candidate in known.values():
            if file_name.lower().endswith(candidate.suffixes):
                return candidate
    wanted = f"{name!r} is no format of a report" if name else f"{file_name} has no suffix of a report"
    suffixes = ", ".join(suffix for candidate in known.values() for suffix in candidate.suffixes)
    raise InputError(f"{wanted}.", hint=f"Formats: {', '.join(known)}; suffixes: {suffixes}.")

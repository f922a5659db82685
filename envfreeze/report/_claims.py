"""Claims in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from envfreeze.records.claims import ClaimResult
from envfreeze.report._words import counted, printable

if TYPE_CHECKING:
    from rich.console import Console

_WORDS = {True: "holds", False: "does not hold", None: "cannot be decided"}
_COLOURS = {True: "green", False: "red", None: "magenta"}


def print_claims(results: Sequence[ClaimResult], console: Console, *, quiet: bool = False) -> None:
    """One claim a row with what decides it, and a sentence; with ``quiet`` only those that do not hold."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for result in results:
        if quiet and result.original is True:
            continue
        said = f"{result.text}\n" if result.text else ""
        place = f" ({result.location})" if result.location else ""
        table.add_row(
            Text(_WORDS[result.original], style=_COLOURS[result.original]),
            Text(printable(result.id + place, console.encoding)),
            Text(printable(said, console.encoding) + printable(result.reason, console.encoding)),
        )
    if table.row_count:
        console.print(table)
    hold = sum(result.original is True for result in results)
    if not quiet:
        words = f"{hold} of {counted(len(results), 'claim')} hold in the frozen run."
        console.print(Text(words, style="bold"), soft_wrap=True)

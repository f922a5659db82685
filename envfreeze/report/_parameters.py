"""Hyperparameters for people: what ``envfreeze params`` prints."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from envfreeze.parameters import ParameterComparison
from envfreeze.records.observation import Parameter
from envfreeze.report._words import counted, printable

if TYPE_CHECKING:
    from rich.console import Console

_ORDER = ("given", "file", "environment", "default")
LONGEST = 120
"""Characters of a value that are shown; ``--json`` has them all."""


def summary(parameters: Iterable[Parameter]) -> str:
    """``12 (5 given)``; empty when there are none."""
    items = list(parameters)
    given = sum(item.source != "default" for item in items)
    return f"{len(items)} ({given} given); see envfreeze params" if items else ""


def print_parameters(parameters: Iterable[Parameter], console: Console, *, quiet: bool = False) -> None:
    """Grouped by owner, what was given first; with ``quiet`` without the defaults."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    def clean(text: str) -> str:
        return printable(text, console.encoding)

    items = [item for item in parameters if not (quiet and item.source == "default")]
    if not items and not quiet:
        console.print(Text("No parameters were seen in this run."))
    ranked = sorted(items, key=lambda item: (item.owner, _ORDER.index(item.source), item.name))
    for owner, group in groupby(ranked, key=lambda item: item.owner):
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(overflow="fold", max_width=max(16, console.width // 3), style="cyan")
        table.add_column(overflow="fold")
        table.add_column(overflow="fold", style="dim")
        for item in group:
            style = "dim" if item.source == "default" else "bold"
            value = item.value if len(item.value) <= LONGEST else item.value[: LONGEST - 4] + " ..."
            table.add_row(Text(clean(item.name)), Text(clean(value), style=style), Text(clean(_origin(item))))
        console.print(Text(clean(owner), style="bold"))
        console.print(Padding(table, (0, 0, 0, 2)))


def _origin(item: Parameter) -> str:
    if item.source == "default":
        named = item.origin.startswith("default") or not item.origin
        return item.origin or "default" if named else f"default of {item.origin}"
    return f"{item.source}: {item.origin}" if item.origin else item.source


def print_comparison(found: ParameterComparison, console: Console, *, quiet: bool = False) -> None:
    """One line a difference, defaults that changed between versions first, and how many are the same."""
    from rich.text import Text

    styles = {"default-changed": "bold yellow", "changed": "bold"}
    for change in found.changes if not quiet else ():
        text = printable(change.sentence, console.encoding)
        console.print(Text(text, style=styles.get(change.kind, "")), soft_wrap=True)
    if found.equal:
        words = f"Same: {counted(found.same, 'parameter')} with equal values."
    else:
        words = f"Different: {counted(len(found.changes), 'parameter')}; {found.same} the same."
    console.print(Text(words, style="bold green" if found.equal else "bold red"), soft_wrap=True)

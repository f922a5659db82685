"""A replay in the terminal: the outputs, the verdict, and under which conditions it ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.records.run import Run
from envfreeze.records.verdict import Verdict
from envfreeze.report.terminal import print_comparison

if TYPE_CHECKING:
    from rich.console import Console


def print_run(run: Run, console: Console, *, required: Verdict, quiet: bool = False) -> None:
    """Print the comparison of a replay, then notes, what was not isolated, and where all is kept."""
    from rich.markup import escape

    if run.comparison:
        print_comparison(run.comparison, console, required=required)
    if quiet:
        return
    for note in run.notes:
        console.print(f"[yellow]note[/] {escape(note)}")
    if run.not_isolated:
        console.print(f"[dim]not isolated: {escape(', '.join(run.not_isolated))}[/]")
    console.print(f"[dim]engine {escape(run.engine)}, {run.duration:.1f} s, kept in {escape(run.folder)}[/]")

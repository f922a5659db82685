"""Comparisons and replays for people, in a terminal or piped.

Everything that comes from files is shown as plain text: no markup of rich, no control characters.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from envfreeze.records.comparison import Comparison, OutputComparison
from envfreeze.records.run import Run
from envfreeze.records.verdict import Verdict
from envfreeze.report._lock import print_lock
from envfreeze.report._sentence import sentence
from envfreeze.report._tapes import first_hint
from envfreeze.report._words import duration, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["print_comparison", "print_lock", "print_run", "sentence"]

COLLAPSE = 5
"""More identical outputs than this share one line."""

_SIGNS = {
    Verdict.IDENTICAL: ("✔", "=", "green"),
    Verdict.EQUIVALENT: ("✔", "=", "green"),
    Verdict.CLOSE: ("≈", "~", "yellow"),
    Verdict.INDISTINGUISHABLE: ("≈", "~", "yellow"),
    Verdict.SAME_CONCLUSION: ("≈", "~", "yellow"),
    Verdict.UNCOMPARED: ("?", "?", "magenta"),
    Verdict.EXTRA: ("+", "+", "red"),
    Verdict.MISSING: ("-", "-", "red"),
    Verdict.DIFFERENT: ("✘", "x", "red"),
}
"""Symbol, the same in ASCII, colour: the word beside it says all, so nothing depends on either."""


def print_comparison(
    comparison: Comparison,
    console: Console,
    *,
    required: Verdict = Verdict.EQUIVALENT,
    quiet: bool = False,
) -> None:
    """A table of outputs, the worst first, and the verdict in one sentence; with ``quiet`` that alone."""
    from rich.text import Text

    if not quiet and comparison.outputs:
        console.print(_table(comparison, console))
    satisfied = comparison.verdict.satisfies(required)
    words = printable(sentence(comparison, required), console.encoding)
    console.print(Text(words, style="bold green" if satisfied else "bold red"), soft_wrap=True)


def print_run(
    run: Run, console: Console, *, required: Verdict = Verdict.EQUIVALENT, quiet: bool = False
) -> None:
    """A replay: what was run, how it was not isolated, how its outputs compare, and where they lie."""
    from rich.text import Text

    def line(text: str, style: str = "") -> None:
        console.print(Text(printable(text, console.encoding), style=style), soft_wrap=True)

    if not quiet:
        line(f"$ {shlex.join(run.command)}", "bold")
        ended = "stopped at the time limit" if run.timed_out else f"exit status {run.exit_status}"
        line(f"{run.engine}: {ended} after {duration(run.duration)}", "dim")
        if run.not_isolated:
            line(f"not isolated: {', '.join(run.not_isolated)}", "yellow")
        for note in run.notes:
            line(f"note: {note}", "yellow")
    hint = first_hint(run.left_tape)
    if hint and not quiet and not (run.comparison and run.comparison.verdict is Verdict.IDENTICAL):
        line(hint, "yellow")
    if run.comparison:
        print_comparison(run.comparison, console, required=required, quiet=quiet)
    if not quiet and run.folder:
        line(f"Record and outputs: {run.folder}", "dim")


def _table(comparison: Comparison, console: Console) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=max(16, console.width * 2 // 5))
    table.add_column(overflow="fold")
    identical = [output for output in comparison.outputs if output.verdict is Verdict.IDENTICAL]
    collapsed = len(identical) > COLLAPSE
    for output in comparison.outputs:
        if not (collapsed and output.verdict is Verdict.IDENTICAL):
            path = Text(printable(output.path, console.encoding), style="" if output.counts else "dim")
            reason = Text(_reason(output, console.encoding), style="" if output.counts else "dim")
            table.add_row(_verdict(output.verdict, console), path, reason)
    if collapsed:
        names = printable(", ".join(output.path for output in identical), console.encoding)
        summary = f"{len(identical)} outputs"
        table.add_row(_verdict(Verdict.IDENTICAL, console), Text(summary), Text(_cut(names, 200)))
    return table


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 4] + " ..."


def _verdict(verdict: Verdict, console: Console) -> RenderableType:
    from rich.text import Text

    symbol, ascii_symbol, colour = _SIGNS[verdict]
    if not console.encoding.lower().startswith("utf"):
        symbol = ascii_symbol
    return Text(f"{symbol} {verdict.value}", style=colour)


def _reason(output: OutputComparison, encoding: str) -> str:
    aside = f" [set aside: {', '.join(output.set_aside)}]" if _unnamed(output) else ""
    note = "" if output.counts else " (does not count)"
    return printable(output.reason + aside + note, encoding)


def _unnamed(output: OutputComparison) -> bool:
    """Whether something was set aside that the reason does not say already."""
    return bool(output.set_aside) and not all(item in output.reason for item in output.set_aside)

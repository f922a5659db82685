"""Sweeps in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from envfreeze.records.sweep import MetricDistribution, Sweep, SweepComparison
from envfreeze.report._words import counted, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_sweep(
    sweep: Sweep,
    distributions: Sequence[MetricDistribution],
    left_out: Sequence[str],
    console: Console,
    *,
    alpha: float,
    quiet: bool = False,
) -> None:
    """A row a metric, and a sentence on where the original lies."""
    from rich.text import Text

    if distributions and not quiet:
        table = _table("metric", "mean ± sd", "median", "mean, 95 %", "original", "quantile")
        for item in distributions:
            summary = item.summary
            table.add_row(
                *(
                    Text(printable(text, console.encoding))
                    for text in (
                        item.metric,
                        f"{_number(summary.mean)} ± {_number(summary.sd)}",
                        _number(summary.median),
                        _interval(summary.interval),
                        _number(item.original) + ("" if item.inside is not False else " (outside)"),
                        "" if item.quantile is None else f"{item.quantile:.2f}",
                    )
                )
            )
        console.print(table)
    for text in (
        () if quiet else (*left_out, *(f"{item.metric}: {item.note}" for item in distributions if item.note))
    ):
        console.print(Text(printable(f"note: {text}", console.encoding), style="yellow"), soft_wrap=True)
    style = "bold red" if len(sweep.good) < len(sweep.runs) else "bold"
    console.print(
        Text(printable(sentence(sweep, distributions, alpha), console.encoding), style=style), soft_wrap=True
    )


def sentence(sweep: Sweep, distributions: Sequence[MetricDistribution], alpha: float) -> str:
    """How many runs ended well, and whether the original is one of them."""
    failed = len(sweep.runs) - len(sweep.good)
    words = counted(len(sweep.runs), "run") + (f", of which {failed} failed" if failed else "")
    known = [item for item in distributions if item.inside is not None]
    if not known:
        return f"{words}; nothing is known of where the original lies."
    outside = [item.metric for item in known if not item.inside]
    if outside:
        named = ", ".join(outside[:3]) + (" …" if len(outside) > 3 else "")
        return f"{words}; the original lies outside of the prediction interval (α = {alpha:g}) in {named}."
    return f"{words}; the original lies within the prediction interval (α = {alpha:g}) of every metric."


def print_comparison(comparison: SweepComparison, console: Console, *, quiet: bool = False) -> None:
    """A row a metric, the clearest difference first, and the verdict in one sentence."""
    from rich.text import Text

    if comparison.metrics and not quiet:
        table = _table(
            "metric", "first", "second", "difference (95 %)", "p (Holm)", "Hedges g", "Cliff δ", ""
        )
        for item in comparison.metrics:
            cells = (
                item.metric,
                f"{_number(item.first.mean)} ± {_number(item.first.sd)}",
                f"{_number(item.second.mean)} ± {_number(item.second.sd)}",
                f"{item.difference:+.4g} {_interval(item.interval)}",
                f"{item.p_adjusted:.2g}",
                "" if item.hedges_g is None else f"{item.hedges_g:+.2f}",
                f"{item.cliffs_delta:+.2f}",
                item.conclusion,
            )
            table.add_row(*(Text(printable(cell, console.encoding)) for cell in cells))
        console.print(table)
    for text in () if quiet else comparison.left_out:
        console.print(Text(printable(f"note: {text}", console.encoding), style="yellow"), soft_wrap=True)
    console.print(Text(printable(comparison.sentence, console.encoding), style="bold"), soft_wrap=True)


def _table(*names: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, name in enumerate(names):
        table.add_column(name, overflow="fold", no_wrap=place > 0)
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _interval(bounds: tuple[float, float] | None) -> str:
    return "–" if bounds is None else f"[{bounds[0]:.4g}, {bounds[1]:.4g}]"

"""``envfreeze compare-sweeps``: two frozen experiments over their seeds."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import LEVELS, console, emit, exit_code, output_options


@click.command(
    "compare-sweeps",
    epilog="Example:  envfreeze compare-sweeps baseline ours --margin 0.005",
)
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Compare this one only; may be repeated."
)
@click.option(
    "--margin",
    type=click.FloatRange(0, min_open=True),
    help="The difference of means that does not matter; equivalence is then tested.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    help="Rate of false alarms over all metrics together.",
)
@click.option("--require", type=click.Choice(LEVELS), default="indistinguishable", show_default=True,
              help="The least agreement that exits with 0.")  # fmt: skip
@output_options
def compare_sweeps(
    first: Path,
    second: Path,
    metrics: tuple[str, ...],
    margin: float | None,
    alpha: float,
    require: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Compare the metrics of two sweeps: FIRST and SECOND are locks, projects, or sweeps' folders.

    A permutation test of the means says whether they differ, corrected over the metrics by Holm's method;
    with --margin two one-sided tests say whether they are equivalent. Effect sizes, intervals, power, and the
    runs that would be needed are shown beside it.
    """
    from envfreeze.report._sweeps import print_comparison
    from envfreeze.sweeps.compare import compare

    comparison = compare(first, second, metrics=metrics, margin=margin, alpha=alpha)
    if as_json:
        emit(comparison)
    else:
        print_comparison(comparison, console(), quiet=quiet)
    return exit_code(comparison.verdict, require)


COMMAND = compare_sweeps

"""``envfreeze diff``: two folders, two files, or two recorded runs."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import (
    Terminal,
    comparison_options,
    console,
    emit,
    exit_code,
    options,
    output_options,
    report_option,
)


@click.command("diff", epilog="Example:  envfreeze diff runs/a runs/b --rtol 1e-6 --require close")
@click.argument("original", type=click.Path(path_type=Path))
@click.argument("replay", type=click.Path(path_type=Path))
@comparison_options
@report_option
@output_options
def diff(
    original: Path,
    replay: Path,
    require: str,
    rtol: float | None,
    atol: float | None,
    report_file: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Compare two folders, two files or two recorded runs by what their contents mean."""
    from envfreeze import reports, workflow
    from envfreeze.records.verdict import Verdict

    if report_file is not None:
        reports.check_report(report_file)
    comparison = workflow.diff(
        original,
        replay,
        options=options(rtol, atol),
        progress=Terminal(quiet=True, verbose=verbose),
    )
    if report_file is not None:
        reports.report_difference(original, replay, comparison, report_file, require=Verdict(require))
    if as_json:
        emit(comparison)
    else:
        from envfreeze.report.terminal import print_comparison

        print_comparison(comparison, console(), required=Verdict(require), quiet=quiet)
    return exit_code(comparison.verdict, require)


COMMAND = diff

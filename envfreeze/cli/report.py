"""``envfreeze report``: a replay as a page for a browser, a comment, or a test report."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import LEVELS, emit, output_options


@click.command("report", epilog="Example:  envfreeze report -o report.html")
@click.argument("run", type=click.Path(path_type=Path), required=False, metavar="[RUN]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; its suffix chooses the format. Default: report.html beside the replay's record.",
)
@click.option("--format", "format_name", metavar="NAME", help="html, markdown, junit or json.")
@click.option(
    "--require",
    type=click.Choice(LEVELS),
    default="equivalent",
    show_default=True,
    help="The least agreement that is called reproduced.",
)
@output_options
def report(
    run: Path | None,
    output: Path | None,
    format_name: str | None,
    require: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Write a report on a replay: one self-contained HTML file, Markdown, JUnit XML or JSON.

    RUN is the folder of a replay (.envfreeze/runs/ID) or of a sweep (.envfreeze/sweeps/ID), or a project,
    whose newest replay is then taken; by default that of the current folder. With "-o -" the report
    goes to standard output.
    """
    from envfreeze import reports
    from envfreeze.records.verdict import Verdict

    written = reports.report(run or Path(), output=output, format_name=format_name, require=Verdict(require))
    if written.path is None:
        click.echo(written.text, nl=False)
    elif as_json:
        emit({"report": str(written.path), "verdict": written.verdict})
    elif not quiet:
        click.echo(str(written.path))
    return 0


COMMAND = report

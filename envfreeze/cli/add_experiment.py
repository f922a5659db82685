"""``envfreeze add-experiment``: several experiments in one artifact."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import LOCK, emit, output_options, words_of


@click.command(
    "add-experiment", epilog='Example:  envfreeze add-experiment table1 --title "Table 1" --time "2 hours"'
)
@click.argument("name")
@LOCK
@click.option("--title", default="", help='Where the paper shows it, e.g. "Table 1".')
@click.option(
    "--time", "expected_time", default="", help='Expected time in words, e.g. "2 hours on one A100".'
)
@click.option("--claims", default="", metavar="FILE", help="claims.yaml of this experiment.")
@click.option(
    "--minimal", default="", metavar="COMMAND", help="A command that shows within minutes that all works."
)
@output_options
def add_experiment(
    name: str,
    lock: Path,
    title: str,
    expected_time: str,
    claims: str,
    minimal: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Take LOCK into the paper's artifact as experiment NAME (artifact.yaml, which is yours to edit).

    envfreeze.lock is copied to envfreeze.NAME.lock, so that you can freeze the next experiment.
    """
    from envfreeze import artifacts

    words = words_of(minimal, "--minimal")
    path = artifacts.add_experiment(
        lock, name, title=title, expected_time=expected_time, claims=claims, minimal=words
    )
    if as_json:
        emit({"experiment": name, "lock": str(path)})
    elif not quiet:
        click.echo(f"{name} is {path.name} now; next: freeze another run, or: envfreeze pack")
    return 0


COMMAND = add_experiment

"""``envfreeze schema``: JSON Schemas of the lock and of what ``--json`` prints."""

from __future__ import annotations

import click

from envfreeze.cli._common import output_options

NAMES = ("lock", "run", "comparison", "image", "report", "sweep", "sweep-comparison")


@click.command("schema", epilog="Example:  envfreeze schema lock > envfreeze.lock.schema.json")
@click.argument("name", type=click.Choice(NAMES), default="lock")
@output_options
def schema(name: str, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Print the JSON Schema of the lock (default), a run, comparison, image or report: always as JSON."""
    from envfreeze.records.schema import dumps

    click.echo(dumps(name), nl=False)  # type: ignore[arg-type]
    return 0


COMMAND = schema

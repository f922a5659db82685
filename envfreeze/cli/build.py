"""``envfreeze build``: the image from the lock."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import ENGINE, LOCK, Terminal, emit, output_options


@click.command("build", epilog="Example:  envfreeze build --engine docker")
@LOCK
@ENGINE
@click.option("--force", is_flag=True, help="Build again even if nothing changed.")
@output_options
def build(lock: Path, engine: str, force: bool, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Build the environment that LOCK describes (default: envfreeze.lock).

    An unchanged lock means no build at all.
    """
    from envfreeze import workflow

    image = workflow.build(lock, engine=engine, force=force, progress=Terminal(quiet=quiet, verbose=verbose))
    if as_json:
        emit(image)
    elif not quiet:
        how = f"built in {image.duration:.1f} s" if image.built else "already built"
        click.echo(f"{image.reference} ({how}, engine {image.engine})")
        for note in image.notes:
            click.echo(f"  note: {note}")
    return 0


COMMAND = build

"""``envfreeze demo``: the whole loop on a bundled example."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import click

from envfreeze.cli._common import ENGINE, Terminal, console, emit, output_options
from envfreeze.errors import InputError


@click.command("demo", epilog="Example:  envfreeze demo --engine local")
@ENGINE
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Work in this new folder and keep it, to look around in afterwards.",
)
@output_options
def demo(engine: str, keep: Path | None, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Show the whole loop on a bundled example: freeze, replay elsewhere, and a change that is noticed.

    Takes about a minute; needs a package index. Without Docker the embedded engine is used.
    """
    from envfreeze.demo import tell
    from envfreeze.records.verdict import Verdict
    from envfreeze.report.terminal import print_run

    progress = Terminal(quiet=quiet, verbose=verbose)
    if keep is not None and keep.exists():
        raise InputError(f"{keep} exists already.", hint="Name a folder that does not exist yet.")
    with contextlib.ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envfreeze-demo-")))
        else:
            folder = keep.absolute()
            folder.mkdir(parents=True)
        story = tell(folder, engine, progress)
        if as_json:
            emit({"as_promised": story.as_promised, "same": story.same, "changed": story.changed})
        else:
            output = console()
            output.print("\n[bold]The recorded code, replayed:[/]")
            _show(story.same, output)
            output.print("\n[bold]With another seed:[/]")
            _show(story.changed, output)
            if keep is not None:
                output.print(f"\nAll of it is in {folder}.")
    return 0 if story.as_promised else 1


COMMAND = demo

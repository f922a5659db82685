"""``envfreeze demo``: the whole loop on a bundled example."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envfreeze.cli._common import ENGINE, Terminal, console, emit, output_options
from envfreeze.errors import InputError

if TYPE_CHECKING:
    from envfreeze.records.run import Run


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
        _show("The recorded code, replayed:", story.same, quiet=quiet)
        _show("With another seed, a difference is what there should be:", story.changed, quiet=quiet)
        if keep is not None:
            console().print(f"\nAll of it is in {folder}.", markup=False, highlight=False, soft_wrap=True)
    return 0 if story.as_promised else 1


def _show(title: str, run: Run, *, quiet: bool) -> None:
    from envfreeze.report.terminal import print_comparison

    output = console()
    output.print(f"\n[bold]{title}[/]")
    if run.comparison:
        print_comparison(run.comparison, output, quiet=quiet)


COMMAND = demo

"""``envfreeze unpack``: a bundle as a folder."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import Terminal, emit, output_options


@click.command("unpack", epilog="Example:  envfreeze unpack paper.envfreeze.zip")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@output_options
def unpack(bundle: Path, folder: Path | None, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Unpack BUNDLE into FOLDER (default: its name), every file checked; a bad one leaves nothing."""
    from envfreeze import artifacts

    made, content = artifacts.unpack(bundle, folder, progress=Terminal(quiet=quiet, verbose=verbose))
    if as_json:
        emit({"folder": str(made), "experiments": [experiment.name for experiment in content.experiments]})
    elif not quiet:
        click.echo(
            f"{made}: read README.md, or run: envfreeze replay {made}/{content.experiments[0].folder}"
            if content.experiments
            else f"{made}: it holds no experiment"
        )
    return 0


COMMAND = unpack

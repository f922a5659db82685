"""``envfreeze verify``: whether a bundle is whole, and what it needs from elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import Terminal, emit, output_options, printable


@click.command("verify", epilog="Example:  envfreeze verify paper.envfreeze.zip")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="Fail, too, when something is needed from elsewhere.")
@output_options
def verify(bundle: Path, offline: bool, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Check every file of BUNDLE against its digest, without unpacking it, and say what it lacks."""
    from envfreeze import artifacts
    from envfreeze.report._words import counted, size

    found = artifacts.verify(bundle, progress=Terminal(quiet=quiet, verbose=verbose))
    if as_json:
        emit(found)
    else:
        signs = {"ok": "✔", "missing": "!", "damaged": "✘"}
        for finding in found.findings:
            if not quiet or finding.level != "ok":
                why = f": {finding.why}" if finding.why else ""
                click.echo(printable(f"{signs[finding.level]} {finding.what}{why}"))
        state = "whole" if found.whole else "damaged"
        rest = (
            "it replays without network" if found.offline else "it needs what is marked with ! from elsewhere"
        )
        words = f"The bundle is {state}: {counted(found.members, 'file')}, {size(found.size)}"
        click.echo(f"{words}; {rest}." if found.whole else f"{words}.")
    return 0 if found.whole and (found.offline or not offline) else 1


COMMAND = verify

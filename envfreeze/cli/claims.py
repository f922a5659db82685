"""``envfreeze claims``: what the paper says, held against the frozen outputs."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import LOCK, Terminal, console, emit, output_options


@click.command("claims", epilog="Example:  envfreeze claims --check")
@LOCK
@click.option(
    "--claims",
    "claims_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of claims; by default claims.yaml beside the lock, or else the recorded one.",
)
@click.option("--check", is_flag=True, help="Exit with 1 unless every claim holds.")
@output_options
def claims(
    lock: Path, claims_file: Path | None, check: bool, as_json: bool, quiet: bool, verbose: bool
) -> int:
    """Show the claims of claims.yaml, and whether the outputs of the frozen run bear them.

    A replay whose outputs differ, while every claim holds in both runs, is "same-conclusion". With -q only
    the claims that do not hold.
    """
    from envfreeze.claims.use import check as held
    from envfreeze.report._claims import print_claims

    _, results = held(lock, claims_file, Terminal(quiet=quiet, verbose=verbose))
    if as_json:
        emit({"hold": all(result.original is True for result in results), "claims": results})
    else:
        print_claims(results, console(), quiet=quiet)
    return 1 if check and any(result.original is not True for result in results) else 0


COMMAND = claims

"""``envfreeze params``: the hyperparameters of a run, or what differs between those of two."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import LOCK, console, emit, output_options


@click.command(
    "params",
    epilog="Example:  envfreeze params old/envfreeze.lock envfreeze.lock",
)
@LOCK
@click.argument("other", type=click.Path(path_type=Path), required=False, metavar="[OTHER]")
@output_options
def params(lock: Path, other: Path | None, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Show the hyperparameters that the run really used, defaults included, each with where it came from.

    With two locks: what changed from LOCK to OTHER, and which default differs between two versions of a
    library. Exits with 1 when they differ. With -q only what was given, or only the verdict.
    """
    from envfreeze.parameters import compare, parameters_of
    from envfreeze.records import lockfile

    found = parameters_of(lockfile.read(lock), str(lockfile.locate(lock)))
    if other is None:
        if as_json:
            emit({"parameters": found})
        else:
            from envfreeze.report._parameters import print_parameters

            print_parameters(found, console(), quiet=quiet)
        return 0
    comparison = compare(found, parameters_of(lockfile.read(other), str(lockfile.locate(other))))
    if as_json:
        emit(comparison)
    else:
        from envfreeze.report._parameters import print_comparison

        print_comparison(comparison, console(), quiet=quiet)
    return 0 if comparison.equal else 1


COMMAND = params

"""``envfreeze show``: the lock, for people."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import LOCK, console, emit, output_options


@click.command("show", epilog="Example:  envfreeze show paper/envfreeze.lock")
@LOCK
@output_options
def show(lock: Path, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Show what LOCK says: the run, the interpreter, packages, machine, and what could not be captured.

    With -v, also which program of the run read and wrote which files.
    """
    from envfreeze.records import lockfile

    content = lockfile.read(lock)
    if as_json:
        emit(content)
    else:
        from envfreeze.report.terminal import print_lock
        from envfreeze.store import Store

        store = Store(lockfile.locate(lock).absolute().parent)
        print_lock(content, console(), store, verbose=verbose)
    return 0


COMMAND = show

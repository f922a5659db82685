"""``envfreeze show``: the lock, for people."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import LOCK, console, emit, output_options


@click.command("show", epilog="Example:  envfreeze show paper/envfreeze.lock")
@LOCK
@output_options
def show(lock: Path, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Show what LOCK says: the run, the interpreter, packages, machine, and what could not be captured."""
    from envfreeze.records import lockfile

    content = lockfile.read(lock)
    if as_json:
        emit(content)
    else:
        from envfreeze.report.terminal import print_lock
        from envfreeze.store import Store

        print_lock(content, console(), Store(lockfile.locate(lock).absolute().parent))
    return 0


COMMAND = show

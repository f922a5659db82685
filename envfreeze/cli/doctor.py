"""``envfreeze doctor``: what of this machine works, and how to mend the rest."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import emit, output_options, printable

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "missing": ("✗", "red")}


@click.command("doctor", epilog="Example:  envfreeze doctor")
@output_options
def doctor(as_json: bool, quiet: bool, verbose: bool) -> int:
    """Say what of this machine works: engines, GPU runtime, package index, disk; and how to mend it.

    Exits with 3 when no engine works, since nothing can be replayed then.
    """
    from envfreeze.doctor import examine
    from envfreeze.engines import engines

    checks = examine(Path.cwd())
    names = {engine.name for engine in engines()}
    usable = any(check.name in names and check.state != "missing" for check in checks)
    if as_json:
        emit({"usable": usable, "checks": checks})
    else:
        for check in checks:
            # One engine is enough: where another works, it is no fault that this one is not there.
            spare = check.name in names and check.state == "missing" and usable
            mark, colour = ("–", "bright_black") if spare else _MARKS[check.state]
            line = f"{check.name}: {check.found}"
            click.echo(f"{click.style(mark, fg=colour)} {printable(line)}")
            if check.mend:
                click.echo(f"    {printable(check.mend)}")
    return 0 if usable else 3


COMMAND = doctor

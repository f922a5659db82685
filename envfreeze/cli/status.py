"""``envfreeze status``: what has changed since the freeze."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envfreeze.cli._common import LOCK, emit, output_options, printable
from envfreeze.report._words import counted

if TYPE_CHECKING:
    from envfreeze.records.status import Change, Status

_MOST = 20
"""Changes that are printed without -v."""


@click.command(
    "status",
    epilog="\b\nExamples:\n  envfreeze status\n  envfreeze status --only files,requirements --quiet",
)
@LOCK
@click.option(
    "--only",
    metavar="AREA,…",
    default="",
    help="files, packages, requirements, variables; by default all. files and requirements need no Python.",
)
@click.option("--python", metavar="PATH", help="The interpreter to look at; by default the frozen one.")
@output_options
def status(lock: Path, only: str, python: str | None, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Say what has changed since the freeze: code, data, packages, what the project asks for.

    Nothing is run or changed. Exits with 0 when the lock still describes what is here, and with 1 when it
    does not.
    """
    from envfreeze.drift import status as look

    names = tuple(name.strip() for name in only.split(",") if name.strip())
    found = look(lock, only=names, python=python)
    if as_json:
        emit(found)
    else:
        _print(found, quiet=quiet, verbose=verbose)
    return 1 if found.drifted else 0


def _print(found: Status, *, quiet: bool, verbose: bool) -> None:
    if found.drifted:
        count = len(found.changes)
        words = (
            f"{found.lock}: {count} {'thing has' if count == 1 else 'things have'} changed since the freeze"
        )
        click.echo(click.style(printable(words), fg="red", bold=True))
    elif not quiet:
        looked = found.looked.items()
        compared = ", ".join(counted(count, name.removesuffix("s")) for name, count in looked if count)
        click.echo(click.style("as frozen", fg="green", bold=True) + f": {compared or 'nothing compared'}")
    shown = found.changes if verbose else found.changes[: 5 if quiet else _MOST]
    for change in shown:
        click.echo(f"  {change.area:<12} {printable(_said(change))}")
    if len(found.changes) > len(shown):
        click.echo(f"  and {len(found.changes) - len(shown)} more (-v lists all)")
    if quiet:
        return
    for note in found.notes:
        click.echo(click.style("! ", fg="yellow") + printable(note))
    if found.drifted:
        click.echo("Freeze again, or take the changes back.")


def _said(change: Change) -> str:
    if change.frozen and change.now:
        return f"{change.name}: {change.frozen} → {change.now}"
    detail = change.frozen or change.now
    return f"{change.name}: {change.what}" + (f" ({detail})" if detail else "")


COMMAND = status

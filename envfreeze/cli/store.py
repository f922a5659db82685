"""``envfreeze store``: list, verify and prune the contents and the tapes in ``.envfreeze``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envfreeze.cli._common import emit, output_options, printable

if TYPE_CHECKING:
    from envfreeze.store import Store
    from envfreeze.store_maintenance import Maintained, StoredObject
    from envfreeze.store_tapes import StoredTapes

_PROJECT = click.option(
    "--project", type=click.Path(path_type=Path), default=Path(), help="The frozen folder; default: this one."
)


@click.group("store", epilog="Example:  envfreeze store verify")
def store() -> None:
    """Look after the stored files, outputs, wheels and tapes in .envfreeze/."""


@store.command("list", epilog="Example:  envfreeze store list --json")
@_PROJECT
@output_options
def list_(project: Path, as_json: bool, quiet: bool, verbose: bool) -> int:
    """List what is stored, the largest first, with what refers to it."""
    from envfreeze.store_maintenance import contents

    found = contents(_store(project))
    if as_json:
        emit(found)
    else:
        _print_objects(found.objects)
        _print_tapes(found.tapes)
        _say(f"{_total(found)}.", quiet=quiet)
    return 0


@store.command(
    "verify",
    epilog="\b\nExamples:\n  envfreeze store verify\n  envfreeze store verify --repair paper.envfreeze.zip",
)
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[BUNDLE]...")
@_PROJECT
@click.option("--repair", is_flag=True, help="Put back what is damaged or missing from where it still lies.")
@click.option("--offline", is_flag=True, help="Ask no package index for wheels.")
@output_options
def verify(
    sources: tuple[Path, ...],
    project: Path,
    repair: bool,
    offline: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Check every stored content against its digest; exit with 1 when one is damaged or missing.

    With --repair a content is taken from a BUNDLE or another frozen folder that is named, from the file that
    it was recorded from, from a replay that reproduced it, or, for packages, from the index. It is used only
    when its digest is right, and what is whole is never written.
    """
    from envfreeze.cli._common import Terminal
    from envfreeze.store_maintenance import verify as verified
    from envfreeze.store_repair import repair as repaired

    if sources and not repair:
        raise click.UsageError("a bundle is named to take contents from: add --repair.")
    progress = Terminal(quiet=quiet, verbose=verbose)
    kept = _store(project)
    found = repaired(kept, sources, offline=offline, progress=progress) if repair else verified(kept)
    if as_json:
        emit(found)
    else:
        _print_faults(found, lost=repair)
        _say(f"{_total(found)}: {_verdict(found)}.", quiet=quiet)
    return 1 if found.damaged or found.missing or found.damaged_tapes else 0


def _print_faults(found: Maintained, *, lost: bool) -> None:
    """One line a content: which it is, and all that need it."""
    used_by = {item.sha256: item.used_by for item in found.objects}
    for item in found.repaired:
        source = f"  from {item.source}" if item.source else ""
        click.echo(printable(f"repaired  {item.sha256[:12]}  {_all_users(item.used_by)}{source}"))
    damaged, missing = ("lost    ", "lost    ") if lost else ("damaged", "missing")
    for digest in found.damaged:
        click.echo(printable(f"{damaged}  {digest[:12]}  {_all_users(used_by[digest])}"))
    for entry in found.missing:
        click.echo(printable(f"{missing}  {entry.sha256[:12]}  {_all_users(entry.used_by)}"))
    for manifest in found.damaged_tapes:
        click.echo(f"{damaged}  {manifest[:12]}  tapes")


def _verdict(found: Maintained) -> str:
    damaged = len(found.damaged) + len(found.damaged_tapes)
    words = [f"{len(found.repaired)} repaired"] if found.repaired else []
    if damaged or found.missing:
        words += [f"{damaged} damaged", f"{len(found.missing)} missing"]
    return ", ".join(words or ["all whole"])


@store.command("prune", epilog="Example:  envfreeze store prune --dry-run")
@_PROJECT
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@output_options
def prune(project: Path, dry_run: bool, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Remove what neither a lock in this folder nor a recorded replay refers to.

    What only a lock in another commit or branch refers to is removed too.
    """
    from envfreeze.store_maintenance import prune as pruned

    found = pruned(_store(project), dry_run=dry_run)
    if as_json:
        emit(found)
    else:
        if verbose or dry_run:
            _print_objects(found.objects)
            _print_tapes(found.tapes)
        _say(f"{'would remove' if dry_run else 'removed'} {_total(found)}.", quiet=quiet)
    return 0


def _store(project: Path) -> Store:
    from envfreeze.errors import InputError
    from envfreeze.store import Store

    found = Store(project.absolute())
    if not found.root.is_dir():
        raise InputError(
            f"{found.root.parent} has no store: there is no {found.root.name} folder in it.",
            hint="Freeze something there first, or give another folder with --project.",
        )
    return found


def _print_objects(objects: tuple[StoredObject, ...]) -> None:
    from envfreeze.report._words import size

    for item in objects:
        click.echo(printable(f"{item.sha256[:12]}  {size(item.size):>10}  {_users(item.used_by)}"))


def _print_tapes(tapes: tuple[StoredTapes, ...]) -> None:
    from envfreeze.report._words import size

    for item in tapes:
        click.echo(printable(f"{item.manifest[:12]}  {size(item.size):>10}  tapes: {_users(item.used_by)}"))


def _users(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else "nothing refers to it"


def _all_users(names: tuple[str, ...]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "") or _users(
        names
    )


def _total(found: Maintained) -> str:
    from envfreeze.report._words import counted, size

    objects = f"{counted(found.count, 'object')}, {size(found.size)}"
    if not found.tapes:
        return objects
    return f"{objects}; {counted(len(found.tapes), 'run')} on tape, {size(sum(t.size for t in found.tapes))}"


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        click.echo(text, err=True)


COMMAND = store

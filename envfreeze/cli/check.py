"""``envfreeze check``: is a command deterministic, and from which source is it not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from envfreeze.cli._common import (
    CommandAfterDashes,
    Terminal,
    emit,
    given_command,
    output_options,
    printable,
)

if TYPE_CHECKING:
    from envfreeze.records.checked import Checked, SourceName


class _Sources(click.ParamType[tuple[str, ...]]):
    """Names of sources, separated by commas."""

    name = "sources"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        from envfreeze.records.checked import SourceName

        known = get_args(SourceName)
        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        for name in names:
            if name not in known:
                self.fail(f"{name!r} is not one of {', '.join(known)}.", param, ctx)
        return names


@click.command(
    "check",
    cls=CommandAfterDashes,
    epilog="\b\nExamples:\n  envfreeze check -- python train.py\n"
    "  envfreeze check --vary hashseed,threads -- python train.py",
)
@click.option(
    "--project", type=click.Path(path_type=Path), default=Path(), help="Folder to copy; default: this one."
)
@click.option(
    "--runs", type=click.IntRange(2, 1000), default=2, show_default=True, help="Plain runs to compare."
)
@click.option(
    "--vary",
    type=_Sources(),
    default=None,
    metavar="SOURCE,…",
    help="Let go of these sources one by one even where the runs agree: hashseed, entropy, clock, order, "
    "aslr, threads, gpu.",
)
@output_options
@click.argument("stray", nargs=-1, metavar="")
def check(
    stray: tuple[str, ...],
    project: Path,
    runs: int,
    vary: tuple[SourceName, ...] | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Run COMMAND twice in copies of the project and say whether it makes the same.

    Where it does not: what differs first, and which source of chance it comes from (hash seed, randomness,
    clock, order of folders, addresses, threads, GPU), found by further runs with the others held. Nothing in
    your folder changes. Exits with 0 when the runs agree and with 1 when they do not.
    """
    from envfreeze.checking import check as run_check

    command = given_command()
    if stray or command is None:
        raise click.UsageError("the command has to come after --.", click.get_current_context())
    checked = run_check(
        command,
        project=project,
        runs=runs,
        vary=vary or (),
        progress=Terminal(quiet=quiet or as_json, verbose=verbose),
    )
    if as_json:
        emit(checked)
    else:
        _print(checked, quiet=quiet)
    return 0 if checked.deterministic else 1


def _print(checked: Checked, *, quiet: bool) -> None:
    if checked.deterministic:
        click.echo(
            click.style("deterministic", fg="green", bold=True) + f": {checked.runs} runs made the same"
        )
    else:
        click.echo(click.style("not deterministic", fg="red", bold=True) + f" in {checked.runs} runs")
    if quiet:
        return
    for output in checked.differing[:10]:
        click.echo(f"  {printable(output.path)}: {printable(output.reason)}")
    if len(checked.differing) > 10:
        click.echo(f"  and {len(checked.differing) - 10} more")
    for reaction in checked.sources:
        mark = click.style("✗", fg="red") if reaction.reacts else click.style("✓", fg="green")
        what = "changes " + ", ".join(reaction.outputs[:5]) if reaction.reacts else "changes nothing"
        click.echo(f"{mark} {reaction.source} ({reaction.how}): {printable(what)}")
    for note in checked.notes:
        click.echo(click.style("! ", fg="yellow") + printable(note))


COMMAND = check

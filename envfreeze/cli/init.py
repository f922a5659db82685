"""``envfreeze init``: what a repository needs so that lock and code cannot drift apart unseen."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import emit, output_options, printable


@click.command(
    "init", epilog="\b\nExamples:\n  envfreeze init --dry-run\n  envfreeze init --only hook,attributes"
)
@click.argument("project", type=click.Path(path_type=Path), default=Path(), metavar="[PROJECT]")
@click.option(
    "--only",
    metavar="PART,…",
    default="",
    help="attributes, ignore, hook, github, gitlab; by default all that fit.",
)
@click.option("--install", metavar="SPEC", help="What pip installs envfreeze from, in the workflow.")
@click.option("--dry-run", is_flag=True, help="Show what would be added, and write nothing.")
@output_options
def init(
    project: Path, only: str, install: str | None, dry_run: bool, as_json: bool, quiet: bool, verbose: bool
) -> int:
    """Add to the git repository: .gitattributes, .gitignore, a commit hook, a workflow.

    Hook and workflow run `envfreeze status`, and fail when the lock does not describe the project any more.
    What is there is never changed or removed, only added to, and each addition is shown as a diff. A second
    time there is nothing to do.
    """
    from envfreeze.repository import prepare

    names = tuple(name.strip() for name in only.split(",") if name.strip())
    prepared = prepare(project, only=names, install=install, dry_run=dry_run)
    if as_json:
        emit(prepared)
        return 0
    if not quiet:
        for file in prepared.files:
            click.echo("\n".join(printable(line) for line in file.diff.splitlines()))
    for hint in prepared.hints:
        click.echo(click.style("! ", fg="yellow") + printable(hint), err=True)
    if not prepared.files:
        click.echo("nothing to add", err=True)
    elif not quiet:
        verb = "would make or add to" if dry_run else "made or added to"
        click.echo(f"{verb} {len(prepared.files)} files", err=True)
    return 0


COMMAND = init

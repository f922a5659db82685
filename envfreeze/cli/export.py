"""``envfreeze export``: the lock's environment in another tool's format."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import LOCK, emit, output_options

FORMATS = (
    "pylock",
    "requirements",
    "uv",
    "environment",
    "conda-lock",
    "explicit",
    "devcontainer",
    "binder",
    "wholetale",
    "codeocean",
    "slurm",
)


@click.command(
    "export",
    epilog="\b\nExamples:\n  envfreeze export --to pylock -o pylock.toml\n"
    "  envfreeze export --to uv -o frozen/\n"
    "  envfreeze export --to conda-lock -o conda-lock.yml",
)
@click.option("--to", "name", type=click.Choice(FORMATS), required=True, help="The format.")
@click.option(
    "-o",
    "--output",
    help="File to write, or a folder/; by default the text goes to standard output.",
)
@LOCK
@output_options
def export(name: str, output: str | None, lock: Path, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Write the packages of LOCK in another tool's format, with the same files and digests.

    pylock is the standard (PEP 751); requirements and uv are for pip and uv; environment, conda-lock and
    explicit are for conda. Wheels that no index has are copied beside the file. devcontainer, binder,
    wholetale and codeocean write the folder that those take; slurm a batch script for Apptainer.
    """
    from envfreeze import workflow

    exported = workflow.export(lock, to=name, output=output)
    if as_json:
        emit({"format": name, "files": [dict(zip(("path", "text"), file, strict=True)) for file in exported]})
    elif output is None:
        for _, text in exported:
            click.echo(text, nl=False)
    elif not quiet:
        for path, _ in exported:
            click.echo(f"wrote {path}", err=True)
    return 0


COMMAND = export

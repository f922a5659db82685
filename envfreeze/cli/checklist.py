"""``envfreeze checklist``: a venue's checklist, answered from the locks."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import LOCK, emit, output_options


@click.command("checklist", epilog="Example:  envfreeze checklist neurips --format latex > checklist.tex")
@click.argument("name")
@LOCK
@click.option(
    "--format", "kind", type=click.Choice(["markdown", "latex"]), default="markdown", show_default=True
)
@output_options
def checklist(name: str, lock: Path, kind: str, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Fill in checklist NAME (acm, icml, mlrc, neurips, usenix) for the artifact that LOCK belongs to.

    A question is answered where the locks bear evidence of it, which is shown; the others are left as TODO.
    """
    from envfreeze import artifacts
    from envfreeze.bundle.checklists import _render

    filled = artifacts.checklist(name, lock)
    if as_json:
        emit(filled)
    else:
        text = _render.latex(filled) if kind == "latex" else _render.markdown(filled)
        click.echo(text, nl=False)
    return 0


COMMAND = checklist

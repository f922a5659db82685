"""``envfreeze verify``: whether a bundle is whole, and what it needs from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envfreeze.cli._common import Terminal, emit, output_options, printable

if TYPE_CHECKING:
    from envfreeze.records.artifact import Signature


@click.command("verify", epilog="Example:  envfreeze verify paper.envfreeze.zip")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="Fail, too, when something is needed from elsewhere.")
@click.option(
    "--signer",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Fail, too, unless it is signed by a key that FILE names: allowed_signers of ssh-keygen(1), or a "
    "public key of minisign.",
)
@output_options
def verify(
    bundle: Path, offline: bool, signer: Path | None, as_json: bool, quiet: bool, verbose: bool
) -> int:
    """Check every file of BUNDLE against its digest, without unpacking it, and say what it lacks."""
    from envfreeze import artifacts
    from envfreeze.report._words import counted, size

    found = artifacts.verify(bundle, signers=signer, progress=Terminal(quiet=quiet, verbose=verbose))
    if as_json:
        emit(found)
    else:
        signs = {"ok": "✔", "missing": "!", "damaged": "✘"}
        for finding in found.findings:
            if not quiet or finding.level != "ok":
                why = f": {finding.why}" if finding.why else ""
                click.echo(printable(f"{signs[finding.level]} {finding.what}{why}"))
        click.echo(printable(_signed(found.signature)))
        state = "whole" if found.whole else "damaged"
        rest = (
            "it replays without network" if found.offline else "it needs what is marked with ! from elsewhere"
        )
        words = f"The bundle is {state}: {counted(found.members, 'file')}, {size(found.size)}"
        click.echo(f"{words}; {rest}." if found.whole else f"{words}.")
    trusted = signer is None or found.signature.state == "signed"
    return 0 if found.whole and trusted and (found.offline or not offline) else 1


def _signed(signature: Signature) -> str:
    words = {
        "unsigned": "- unsigned",
        "signed": f"✔ signed by {signature.signer} ({signature.key})",
        "unknown": f"! signed with the key {signature.key}, which no --signer file names: anybody could have",
        "bad": "✘ the signature is bad",
        "unchecked": f"! signed, and not checked: {signature.why}",
    }
    return words[signature.state]


COMMAND = verify

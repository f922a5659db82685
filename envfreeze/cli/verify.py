"""``envfreeze verify``: whether a bundle is whole, and what it needs from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envfreeze.cli._common import Terminal, emit, output_options, printable

if TYPE_CHECKING:
    from envfreeze.records.artifact import Search, Signature

_SHOWN = 20


@click.command("verify", epilog="Example:  envfreeze verify paper.envfreeze.zip")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="Fail, too, when something is needed from elsewhere.")
@click.option(
    "--engine",
    type=click.Choice(["docker", "podman", "apptainer", "local"]),
    help="Ask only what this engine needs; default: what docker and what local need.",
)
@click.option(
    "--signer",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Fail, too, unless it is signed by a key that FILE names: allowed_signers of ssh-keygen(1), or a "
    "public key of minisign.",
)
@click.option(
    "--anonymous-for",
    metavar="TEXT",
    multiple=True,
    help="Fail, too, when TEXT (a name, an e-mail) is anywhere in it, archives and encodings included.",
)
@output_options
def verify(
    bundle: Path,
    offline: bool,
    engine: str | None,
    signer: Path | None,
    anonymous_for: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Check every file of BUNDLE against its digest, without unpacking it, and say what it lacks."""
    from envfreeze import artifacts
    from envfreeze.report._words import counted, size

    found = artifacts.verify(
        bundle,
        signers=signer,
        engine=engine,
        anonymous_for=anonymous_for,
        progress=Terminal(quiet=quiet, verbose=verbose),
    )
    if as_json:
        emit(found)
    else:
        signs = {"ok": "✔", "missing": "!", "damaged": "✘"}
        for finding in found.findings:
            if not quiet or finding.level != "ok":
                why = f": {finding.why}" if finding.why else ""
                click.echo(printable(f"{signs[finding.level]} {finding.what}{why}"))
        click.echo(printable(_signed(found.signature)))
        for line in _named(found.search):
            click.echo(printable(line))
        state = "whole" if found.whole else "damaged"
        rest = (
            "it replays without network" if found.offline else "it needs what is marked with ! from elsewhere"
        )
        words = f"The bundle is {state}: {counted(found.members, 'file')}, {size(found.size)}"
        click.echo(f"{words}; {rest}." if found.whole else f"{words}.")
    trusted = signer is None or found.signature.state == "signed"
    anonymous = found.search is None or not (found.search.places or found.search.closed)
    return 0 if found.whole and trusted and anonymous and (found.offline or not offline) else 1


def _named(search: Search | None) -> list[str]:
    """What the search for names found, a line each."""
    from envfreeze.report._words import counted

    lines: list[str] = []
    if search is None:
        return lines
    by_file: dict[str, list[str]] = {}
    for place in search.places:
        by_file.setdefault(place.partition(":")[0].partition(" line ")[0].partition(",")[0], []).append(place)
    for places in list(by_file.values())[:_SHOWN]:
        more = f", and {counted(len(places) - 1, 'more place')} in that file" if len(places) > 1 else ""
        lines.append(f"✘ {places[0]}{more}")
    if len(by_file) > _SHOWN:
        lines.append(f"✘ and {counted(len(by_file) - _SHOWN, 'more file')}")
    lines += [f"! not looked into: {closed}" for closed in search.closed]
    lines += [f"- in a package that everybody gets the same: {place}" for place in search.public[:_SHOWN]]
    if not search.places:
        what = f"{search.files} files and what {search.opened} archives and streams among them hold"
        how = "in any case, as UTF-8, Latin-1, UTF-16, UTF-32, escaped, base64 or hexadecimal"
        lines.append(f"✔ none of the names looked for ({search.identities}) is in {what}, {how}")
    return lines


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

"""``envfreeze pack``: the artifact that goes with a paper."""

from __future__ import annotations

from pathlib import Path

import click

from envfreeze.cli._common import LOCK, Terminal, emit, output_options, words_of


@click.command("pack", epilog="Example:  envfreeze pack -o paper.envfreeze.zip --with-wheels")
@LOCK
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The bundle to write; default: FOLDER.envfreeze.zip.",
)
@click.option(
    "--with-wheels", is_flag=True, help="All packages travel along: no index is needed to build it."
)
@click.option("--with-image", is_flag=True, help="The image travels along, as an OCI layout (needs Docker).")
@click.option(
    "--with-data",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Data that was recorded by digest only is taken from FOLDER and travels along.",
)
@click.option(
    "--with-tapes",
    is_flag=True,
    help="Recorded randomness travels along, for unseeded runs; keys that a run made are on it.",
)
@click.option(
    "--minimal",
    default="",
    metavar="COMMAND",
    help="A command that shows within minutes that all works; default: derived from a recorded parameter.",
)
@click.option(
    "--checklist",
    "checklists",
    metavar="NAME",
    multiple=True,
    help="Fill in a venue's checklist: acm, icml, mlrc, neurips or usenix.",
)
@click.option(
    "--write-readme",
    is_flag=True,
    help="Write the README of the bundle into the project (ARTIFACT.md), for you to edit; packs nothing.",
)
@click.option(
    "--sign",
    metavar="KEY",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Sign the bundle with a private key of ssh-keygen or minisign.",
)
@click.option(
    "--anonymous",
    is_flag=True,
    help="For double-blind review: names, e-mails, hosts and home folders are replaced everywhere; nothing "
    "is written while one is left.",
)
@click.option(
    "--identity",
    "identities",
    metavar="TEXT",
    multiple=True,
    help="With --anonymous: something else that tells who you are, such as a colleague or an institution.",
)
@click.option(
    "--allow",
    metavar="ID=REASON",
    multiple=True,
    help="What looks like a secret and is none, by the id that the refusal names; the reason is recorded.",
)
@output_options
def pack(
    lock: Path,
    output: Path | None,
    with_wheels: bool,
    with_image: bool,
    with_data: Path | None,
    with_tapes: bool,
    minimal: str,
    checklists: tuple[str, ...],
    write_readme: bool,
    sign: Path | None,
    anonymous: bool,
    identities: tuple[str, ...],
    allow: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Pack locks, code, data and original outputs into one zip file that is readable without envfreeze.

    The artifact is what artifact.yaml beside LOCK lists (see: envfreeze add-experiment), or LOCK alone.
    """
    from envfreeze import artifacts
    from envfreeze.report._words import size

    if write_readme:
        written = artifacts.write_readme(lock, progress=Terminal(quiet=quiet, verbose=verbose))
        if as_json:
            emit({"readme": str(written)})
        elif not quiet:
            click.echo(f"{written}: edit it; the next bundle has it as its README.md")
        return 0
    if identities and not anonymous:
        raise click.UsageError("--identity takes --anonymous.")
    packed = artifacts.pack(
        lock,
        output,
        wheels=with_wheels,
        image=with_image,
        data=with_data,
        tapes=with_tapes,
        minimal=words_of(minimal, "--minimal"),
        checklists=checklists,
        sign=sign,
        anonymous=anonymous,
        identities=identities,
        allow=allow,
        progress=Terminal(quiet=quiet, verbose=verbose),
    )
    if as_json:
        emit(packed)
    elif not quiet:
        for note in packed.notes:
            click.echo(f"note: {note}", err=True)
        names = ", ".join(experiment.name for experiment in packed.bundle.experiments)
        click.echo(f"{packed.path}: {size(packed.size)}; experiments: {names}")
        click.echo(f"Check it as a reviewer would: envfreeze verify {packed.path}")
    return 0


COMMAND = pack

"""``envfreeze freeze``: run a command, watch it, write the lock and the Dockerfile."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envfreeze.cli._common import (
    PROFILE,
    SEED,
    CommandAfterDashes,
    Size,
    Terminal,
    emit,
    given_command,
    output_options,
    printable,
)
from envfreeze.errors import InputError

if TYPE_CHECKING:
    from envfreeze.records.lock import Lock
    from envfreeze.records.settings import Profile


@click.command(
    "freeze",
    cls=CommandAfterDashes,
    epilog="Example:  envfreeze freeze -- python train.py --epochs 3",
)
@click.option(
    "--project", type=click.Path(path_type=Path), default=Path(), help="Folder to freeze; default: this one."
)
@click.option("--python", metavar="PATH", help="Interpreter to freeze when there is no command.")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Freeze what a file asks for instead of what is installed: requirements.in or .txt, pyproject.toml, "
    "uv.lock, poetry.lock, environment.yml, conda-lock.yml. --python then may be a version.",
)
@click.option(
    "--output",
    "outputs",
    metavar="PATTERN",
    multiple=True,
    help="Only matching files are outputs, e.g. 'results/**'; a pattern outside the project adds files.",
)
@click.option(
    "--data",
    metavar="copy|reference[:SIZE|:PATTERN]",
    multiple=True,
    help="Record only digest and origin of data above a size (100m), or that matches; default: copy all.",
)
@click.option(
    "--data-limit",
    type=Size(),
    metavar="SIZE",
    help="How much data outside the project may be copied; default: 10g.",
)
@PROFILE
@SEED
@click.option(
    "--tape-limit", type=Size(), metavar="SIZE", help="Most that the tapes may hold together; default: 1g."
)
@click.option(
    "--trace",
    type=click.Choice(["default", "deep"]),
    default="default",
    help="deep: see static programs and raw system calls too (seccomp); slower for runs of many files.",
)
@click.option("--offline", is_flag=True, help="Ask no package index; packages are kept as installed.")
@click.option(
    "--vendor-limit",
    type=Size(),
    metavar="SIZE",
    help="How much of installed packages may be kept when their index does not answer; default: 2g.",
)
@click.option(
    "--prove/--no-prove",
    default=True,
    help="Check that every installed package is the file that the lock pins; default: yes.",
)
@click.option("--no-dockerfile", is_flag=True, help="Write the lock only.")
@output_options
@click.argument("stray", nargs=-1, metavar="")
def freeze(
    stray: tuple[str, ...],
    project: Path,
    python: str | None,
    source: Path | None,
    outputs: tuple[str, ...],
    data: tuple[str, ...],
    data_limit: int | None,
    profile: Profile,
    seed: int | None,
    tape_limit: int | None,
    trace: str,
    offline: bool,
    vendor_limit: int | None,
    prove: bool,
    no_dockerfile: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Run COMMAND, watch it, and write down all that it depended on.

    Writes envfreeze.lock and Dockerfile, to be committed, and .envfreeze/ with the recorded files and
    outputs. Without a COMMAND the environment alone is frozen. The command runs as it always does: its
    output, its terminal, Ctrl-C and its exit code pass through.
    """
    from envfreeze import workflow

    if stray:
        raise InputError(
            "the command has to come after --.", hint=f"Try: envfreeze freeze -- {shlex.join(stray)}"
        )
    command = given_command()
    if source is not None:
        return _from_file(
            source,
            command,
            as_json=as_json,
            quiet=quiet,
            project=project,
            python=python,
            offline=offline,
            dockerfile=not no_dockerfile,
            progress=Terminal(quiet=quiet, verbose=verbose),
        )
    lock = workflow.freeze(
        command,
        project=project,
        python=python,
        outputs=outputs,
        data=data,
        data_limit=data_limit,
        profile=profile,
        seed=seed,
        tape_limit=tape_limit,
        deep=trace == "deep",
        offline=offline,
        vendor_limit=vendor_limit,
        prove=prove,
        dockerfile=not no_dockerfile,
        passthrough=(2, 2) if as_json else (1, 2),
        progress=Terminal(quiet=quiet, verbose=verbose),
    )
    if as_json:
        emit(lock)
    elif not quiet:
        _summary(lock)
    if lock.run is not None and lock.run.failed:
        click.echo(
            f"envfreeze: the command failed (exit status {lock.run.exit_status}); "
            "the lock says so, and holds what was seen.",
            err=True,
        )
        return lock.run.exit_status
    return 0


def _from_file(
    source: Path, command: tuple[str, ...] | None, *, as_json: bool, quiet: bool, **options: Any
) -> int:
    """``--from``: nothing is run and no installed environment is looked at."""
    from envfreeze import workflow

    if command is not None:
        raise InputError(
            "--from freezes without a run, so no command can follow it.",
            hint="Run the command later: envfreeze replay -- python train.py",
        )
    lock = workflow.freeze_file(source, **options)
    if as_json:
        emit(lock)
    elif not quiet:
        _summary(lock)
    return 0


def _summary(lock: Lock) -> None:
    """A few lines on standard error: what was written down, and what was not."""
    from envfreeze.gpus import recorded
    from envfreeze.report._gpu import in_words

    def say(text: str) -> None:
        click.echo("  " + printable(text), err=True)

    proved = sum(package.proof == "proved" for package in lock.packages)
    python = f"{lock.interpreter.implementation} {lock.interpreter.version}"
    packages = _count(len(lock.packages), "package") + (f" ({proved} proved)" if proved else "")
    say(", ".join(part for part in (python, packages, lock.cpu.model, in_words(recorded(lock))) if part))
    if lock.run is not None:
        say(f"{shlex.join(lock.run.command)}: {lock.run.duration:.1f} s")
        read = _count(lock.run.files.count, "file")
        say(f"read {read}, made {_count(lock.run.outputs.count, 'output')}")
    for package in lock.packages:
        if package.modified:
            files = f"{package.name} is not as it was installed: {', '.join(package.modified[:3])}"
            more = ", …" if len(package.modified) > 3 else ""
            click.echo(click.style("! ", fg="yellow") + printable(files + more), err=True)
    for gap in lock.gaps[:8]:
        click.echo(click.style("! ", fg="yellow") + printable(f"{gap.what}: {gap.why}"), err=True)
    if len(lock.gaps) > 8:
        say(f"and {len(lock.gaps) - 8} more gaps: envfreeze show")
    say(f"wrote envfreeze.lock; next: envfreeze {'replay' if lock.run else 'build'}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


COMMAND = freeze

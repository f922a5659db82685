"""``envfreeze replay``: run the recorded command again and compare."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envfreeze.cli._common import (
    ENGINE,
    GPUS,
    LOCK,
    PROFILE,
    SEED,
    CommandAfterDashes,
    Size,
    Terminal,
    comparison_options,
    console,
    emit,
    exit_code,
    given_command,
    options,
    output_options,
    printable,
    report_option,
)

if TYPE_CHECKING:
    from envfreeze.records.settings import Profile


class _Positive(click.FloatRange):
    """A number above 0; ``inf`` and ``nan``, which float(3) reads too, are none."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


@click.command(
    "replay",
    cls=CommandAfterDashes,
    epilog="\b\nExamples:\n  envfreeze replay --engine local\n"
    "  envfreeze replay other/envfreeze.lock -- python eval.py\n"
    "  envfreeze replay paper.envfreeze.zip --experiment table1",
)
@LOCK
@ENGINE
@click.option(
    "--code",
    type=click.Path(path_type=Path),
    help="Use the files of this folder as they are today instead of the recorded ones.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where the data lies that the lock knows by digest only; it is seen read-only.",
)
@click.option("--experiment", metavar="NAME", help="Of a bundle: this experiment only.")
@click.option(
    "--minimal", is_flag=True, help="Only the short run that shows that all works; nothing is compared."
)
@click.option("--yes", is_flag=True, help="Of a bundle: run it with the engine local without asking.")
@click.option(
    "--claims",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of claims to judge by; by default the claims.yaml that was recorded.",
)
@click.option("--network", is_flag=True, help="Let the command use the network; by default it has none.")
@GPUS
@click.option("--timeout", type=_Positive(), help="Seconds until it is stopped.")
@click.option("--memory", type=Size(), help="Memory limit, e.g. 4g.")
@click.option("--disk", type=Size(), help="Limit on the disk that it takes, e.g. 20g.")
@click.option("--cpus", type=_Positive(), help="Processor limit, e.g. 2.")
@PROFILE
@SEED
@comparison_options
@report_option
@output_options
def replay(
    lock: Path,
    engine: str,
    code: Path | None,
    data: Path | None,
    experiment: str | None,
    minimal: bool,
    yes: bool,
    claims: Path | None,
    network: bool,
    gpus: str | None,
    timeout: float | None,
    memory: int | None,
    disk: int | None,
    cpus: float | None,
    profile: Profile,
    seed: int | None,
    require: str,
    rtol: float | None,
    atol: float | None,
    report_file: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Run the recorded command again in the recorded environment and compare the outputs.

    Builds the environment if needed. The command finds the recorded files, no network and a read-only
    system. The record and the outputs are kept under .envfreeze/runs/. With a COMMAND of your own, that one
    runs in the frozen environment, and nothing is compared. LOCK may be a bundle (see: envfreeze pack).
    """
    from envfreeze import reports, workflow
    from envfreeze.cli._bundles import agree_to_run, experiments_in, is_strangers
    from envfreeze.records.run import Limits
    from envfreeze.records.verdict import Verdict

    command = given_command()
    if report_file is not None:
        reports.check_report(report_file)
    found = experiments_in(lock, experiment, progress=Terminal(quiet=quiet, verbose=verbose))
    if found is not None or is_strangers(lock):
        agree_to_run(engine, yes=yes)
    if found is not None:
        if len(found) > 1:
            return _one_by_one(found)
        (lock,) = found.values()
    if minimal:
        command, timeout = _short(lock, command), timeout or SHORT
    run = workflow.replay(
        lock,
        command=command,
        engine=engine,
        code=code,
        limits=Limits(cpus=cpus, memory=memory, timeout=timeout, disk=disk),
        network=network,
        gpus=gpus,
        data=data,
        profile=profile,
        seed=seed,
        options=options(rtol, atol),
        claims=claims,
        progress=Terminal(quiet=quiet, verbose=verbose or bool(command)),
    )
    comparison = run.comparison
    if as_json:
        emit(
            {
                "verdict": comparison.verdict if comparison else None,
                "outputs": comparison.outputs if comparison else (),
                "run": run,
            }
        )
    if not comparison:
        if not as_json and not quiet:
            what = "The short run" if minimal else "The command"
            click.echo(f"{what} ended with exit status {run.exit_status}; nothing was compared.")
            click.echo(f"Its outputs: {run.folder}/outputs")
        return run.exit_status
    if report_file is not None:
        reports.report(run.folder, output=report_file, require=Verdict(require))
    if not as_json:
        from envfreeze.report.terminal import print_run

        print_run(run, console(), required=Verdict(require), quiet=quiet)
    return exit_code(comparison.verdict, require)


SHORT = 300.0
"""Seconds after which a short run is stopped."""


def _short(lock: Path, command: tuple[str, ...] | None) -> tuple[str, ...]:
    from envfreeze import artifacts

    if command is not None:
        raise click.UsageError("--minimal has a command of its own; leave yours out.")
    found = artifacts.minimal_of(lock)
    words = printable(shlex.join(found.command))
    click.echo(f"short run ({printable(found.origin)}): {words}", err=True)
    return found.command


def _one_by_one(locks: dict[str, Path]) -> int:
    """Replay every experiment of a bundle with the same options; the worst exit code counts."""
    context = click.get_current_context()
    if context.params["as_json"]:
        raise click.UsageError(f"--json needs one experiment: give --experiment {'|'.join(locks)}.", context)
    codes: list[int] = []
    for name, lock in locks.items():
        click.echo(click.style(f"== {name}", bold=True))
        codes.append(
            context.invoke(replay, **{**context.params, "lock": lock, "experiment": None, "yes": True})
        )
    return max(codes)


COMMAND = replay

"""``envfreeze sweep``: the frozen command under many seeds."""

from __future__ import annotations

import math
from pathlib import Path

import click

from envfreeze.cli._common import ENGINE, GPUS, LOCK, Size, Terminal, console, emit, output_options


@click.command(
    "sweep",
    epilog="\b\nExamples:\n  envfreeze sweep --seeds 16\n"
    "  envfreeze sweep --seeds 16 --seed-to=--random-state --metric results/metrics.json:accuracy",
)
@LOCK
@click.option(
    "--seeds", "-n", "count", type=click.IntRange(1, 10_000), default=16, show_default=True, help="Runs."
)
@click.option(
    "--first-seed", type=click.IntRange(0, 2**31), default=1, show_default=True, help="The first seed."
)
@click.option("--vary", default="seed", show_default=True, help="What is varied: seed, threads, hash-seed, …")
@click.option(
    "--seed-to",
    default="",
    metavar="WHERE",
    help="What takes the seed: an option (--seed-to=--seed), a word (seed=) or a variable (SEED). "
    "By default it is found in the recorded command.",
)
@click.option(
    "--metric", "metrics", multiple=True, metavar="FILE:NAME", help="A metric; by default all found."
)
@ENGINE
@click.option("--jobs", "-j", type=click.IntRange(1, 1024), help="Runs at a time; by default what fits.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds for each run.")
@click.option("--memory", type=Size(), help="Memory limit of each run, e.g. 4g.")
@GPUS
@click.option("--data", type=click.Path(path_type=Path), metavar="FOLDER", help="As in envfreeze replay.")
@click.option("--again", is_flag=True, help="Make failed runs again.")
@click.option("--yes", is_flag=True, help="Of a bundle: run it with the engine local without asking.")
@output_options
def sweep(
    lock: Path,
    count: int,
    first_seed: int,
    vary: str,
    seed_to: str,
    metrics: tuple[str, ...],
    engine: str,
    jobs: int | None,
    timeout: float | None,
    memory: int | None,
    gpus: str | None,
    data: Path | None,
    again: bool,
    yes: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Run the frozen command under many seeds, in parallel, and show what its metrics do.

    Finished runs are kept under .envfreeze/sweeps/, so that a sweep that was stopped goes on with the same
    command, and one with more seeds continues. Says whether the original lies where the seeds put it; a
    later replay with other numbers is then called indistinguishable when it does too. Exits with 1 when a
    run failed.
    """
    from envfreeze.cli._bundles import agree_to_run, is_strangers
    from envfreeze.records import lockfile
    from envfreeze.records.run import Limits
    from envfreeze.report._sweeps import print_sweep
    from envfreeze.statistics import ALPHA, scipy_stats
    from envfreeze.store import Store
    from envfreeze.sweeps.describe import describe, original_metrics
    from envfreeze.sweeps.run import sweep as run_sweep

    if timeout is not None and not math.isfinite(timeout):
        raise click.BadParameter("--timeout must be a finite number.")
    if is_strangers(lock):
        agree_to_run(engine, yes=yes)
    scipy_stats()  # that it is missing is told before hours of runs, not after
    progress = Terminal(quiet=quiet, verbose=verbose)
    folder, made = run_sweep(
        lock,
        count=count,
        first=first_seed,
        vary=vary,
        seed_to=seed_to,
        metrics=metrics,
        engine=engine,
        jobs=jobs,
        limits=Limits(memory=memory, timeout=timeout),
        gpus=gpus,
        data=data,
        again=again,
        progress=progress,
    )
    path = lockfile.locate(lock.absolute())
    original = original_metrics(lockfile.read(path), Store(path.parent), made)
    distributions, left_out = describe(made, original) if made.good else ((), ())
    if as_json:
        emit({"sweep": made, "distributions": distributions, "left_out": left_out, "folder": str(folder)})
    else:
        print_sweep(made, distributions, left_out, console(), alpha=ALPHA, quiet=quiet)
        if not quiet:
            click.echo(f"Runs and metrics: {folder}")
    return 1 if len(made.good) < len(made.runs) else 0


COMMAND = sweep

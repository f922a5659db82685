"""Options and output that all commands share."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from envfreeze.compare import Options
    from envfreeze.records.base import Record
    from envfreeze.records.verdict import Verdict

F = TypeVar("F", bound=Callable[..., Any])

LOCK = click.argument(
    "lock", type=click.Path(path_type=Path), default=Path("envfreeze.lock"), metavar="[LOCK]"
)
ENGINE = click.option(
    "--engine",
    default="auto",
    show_default=True,
    help="docker, podman, apptainer, local (no container engine needed), or auto.",
)
PROFILE = click.option(
    "--profile",
    type=click.Choice(["recorded", "strict", "portable", "off"]),
    default="recorded",
    show_default=True,
    help="recorded: randomness and times of the run are taped, and a replay gets the same; strict: seeds, "
    "deterministic algorithms and one clock are set instead; portable: recorded, with one instruction set "
    "for all libraries; off: nothing is done.",
)
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), metavar="N", help="Of the profile strict; default: 0."
)
GPUS = click.option(
    "--gpus",
    metavar="all|N|device=…",
    help="GPUs that the command may use, where the recorded run used one; by default it has none.",
)
LEVELS = ("identical", "equivalent", "close", "indistinguishable", "same-conclusion")


_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Size(click.ParamType[int]):
    """A number of bytes such as 512m or 4g."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+)([kmgt]?)b?", str(value).strip().lower())
        if match is None or int(match[1]) == 0:
            self.fail(f"{value!r} is not a size such as 512m or 4g.", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


class CommandAfterDashes(click.Command):
    """Takes what stands after ``--`` out of click's hands: it is the user's command, whatever it is."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            place = args.index("--")
            ctx.meta[_COMMAND] = tuple(args[place + 1 :])
            args = args[:place]
            if not ctx.meta[_COMMAND]:
                raise click.UsageError("there is no command after --.", ctx)
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND…]"]


_COMMAND = "envfreeze.command"


def given_command() -> tuple[str, ...] | None:
    """What stood after ``--`` on the command line; None when there was no ``--``."""
    command: tuple[str, ...] | None = click.get_current_context().meta.get(_COMMAND)
    return command


def words_of(command: str, option: str) -> tuple[str, ...]:
    """The words of a command that was given as one text.

    Raises:
        click.BadParameter: a quotation mark is not closed.
    """
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise click.BadParameter(f"{option}: {error}.") from None


def output_options(function: F) -> F:
    """``--json``, ``-q`` and ``-v``."""
    function = click.option(
        "-v", "--verbose", is_flag=True, help="Show every line of builders and commands."
    )(function)
    function = click.option("-q", "--quiet", is_flag=True, help="Only results and errors.")(function)
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")(
        function
    )


def comparison_options(function: F) -> F:
    """``--require`` and the tolerances."""
    function = click.option("--atol", type=float, help="Absolute tolerance for numbers.")(function)
    function = click.option("--rtol", type=float, help="Relative tolerance for numbers.")(function)
    return click.option(
        "--require",
        type=click.Choice(LEVELS),
        default="equivalent",
        show_default=True,
        help="The least agreement that exits with 0.",
    )(function)


def report_option(function: F) -> F:
    """``--report``."""
    return click.option(
        "--report",
        "report_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write a report too: .html, .md, .xml (JUnit) or .json.",
    )(function)


def options(rtol: float | None, atol: float | None) -> Options:
    """The comparison's options from the command line's."""
    from envfreeze.compare import Options

    for name, value in (("--rtol", rtol), ("--atol", atol)):
        if value is not None and not 0 <= value < float("inf"):
            raise click.BadParameter(f"{name} must be a number ≥ 0, not {value}.")
    return Options(rtol=rtol, atol=atol)


class Terminal:
    """Progress as lines on standard error."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet, self.verbose = quiet, verbose

    def step(self, text: str) -> None:
        if not self.quiet:
            click.echo(click.style("· ", fg="cyan") + printable(text), err=True)

    def detail(self, text: str) -> None:
        if self.verbose:
            click.echo("  " + printable(text.rstrip("\n")), err=True)

    def warn(self, text: str) -> None:
        click.echo(click.style("! ", fg="yellow") + printable(text), err=True)


def printable(text: str) -> str:
    """Text from outside without control characters, so that it cannot drive the terminal."""
    return "".join(
        char if char == "\t" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def console() -> Console:
    """A console on standard output."""
    from rich.console import Console

    # An empty FORCE_COLOR forces nothing (https://force-color.org); rich before 14 took it for a yes.
    plain = not sys.stdout.isatty() and not os.environ.get("FORCE_COLOR")
    return Console(file=sys.stdout, highlight=False, soft_wrap=False, force_terminal=False if plain else None)


def emit(record: Record | dict[str, Any]) -> None:
    """Print one JSON object and nothing else on standard output."""
    import msgspec

    click.echo(json.dumps(msgspec.to_builtins(record), indent=2))


def exit_code(verdict: Verdict, require: str) -> int:
    """0 when the verdict is at least the required level, otherwise 1."""
    from envfreeze.records.verdict import Verdict

    return 0 if verdict.satisfies(Verdict(require)) else 1

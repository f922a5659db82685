"""The group of all commands, and what becomes of errors."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

import envfreeze
from envfreeze.errors import EnvfreezeError, EnvironmentFailure

_ORDER = ("freeze", "build", "replay", "sweep", "claims", "diff", "compare-sweeps", "show", "doctor", "demo")


class _Group(click.Group):
    """Commands in the order of the work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(
            names, key=lambda name: (name not in _ORDER, _ORDER.index(name) if name in _ORDER else 0)
        )


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 reproduced or done, 1 the results differ, 2 wrong usage or input, "
    "3 the environment failed (engine, network, disk).",
)
@click.version_option(envfreeze.__version__, prog_name="envfreeze")
def group() -> None:
    """Freeze the environment of a run, replay it years later, and say whether the result is the same.

    \b
    envfreeze freeze -- python train.py    run it, watch it, write envfreeze.lock and Dockerfile
    envfreeze replay                       run it again from the lock and compare the outputs
    """


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    from envfreeze import cli
    from envfreeze.registry import members

    for command in members(cli, "COMMAND", click.Command):
        group.add_command(command)
    signal.signal(signal.SIGTERM, _terminated)
    own = arguments[: list(arguments).index("--")] if "--" in arguments else arguments
    as_json = "--json" in own
    try:
        result = group.main(list(arguments), prog_name="envfreeze", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        return _report(error.format_message(), _usage_hint(error), 2, as_json=as_json)
    except EnvfreezeError as error:
        return _report(str(error), error.hint, error.exit_code, as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        return _report("interrupted; nothing half-done was kept.", None, 130, as_json=as_json)
    except SystemExit as end:
        code = int(end.code or 0)
        if code <= 128:
            return _reader_went_away()  # rich turns a broken pipe into an exit
        return _report("ended by a signal; nothing half-done was kept.", None, code, as_json=as_json)
    except BrokenPipeError:
        return _reader_went_away()
    except OSError as error:
        failure = _of_the_system(error)
        return _report(str(failure), failure.hint, failure.exit_code, as_json=as_json)
    except Exception as error:
        if "--verbose" in own or "-v" in own:
            traceback.print_exc()
        return _report(_own_fault(error), _REPORT_IT, 3, as_json=as_json)


def _reader_went_away() -> int:
    """Whoever read our output had enough, for example ``| head``; keep the interpreter's exit quiet too."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


_REPORT_IT = "Please report it, with what the same command prints with -v."


def _own_fault(error: Exception) -> str:
    """What nobody foresaw, in one sentence that helps to find the place."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return f"this is a fault in envfreeze: {words} (in {Path(frame.f_code.co_filename).name} line {line})."


def _usage_hint(error: click.ClickException) -> str | None:
    context = getattr(error, "ctx", None)
    return f"See: {context.command_path} --help" if context is not None else None


def _of_the_system(error: OSError) -> EnvironmentFailure:
    """An error of the operating system as a sentence with what to do."""
    place = str(error.filename or "the disk")
    hints = {
        errno.ENOSPC: "Free some space there, or move the project; nothing half-written was kept.",
        errno.EDQUOT: "The quota is used up; free some space.",
        errno.EROFS: "The file system is read-only; copy the project to a place that can be written.",
        errno.EACCES: "Check the permissions of that place.",
    }
    sentence = f"{place}: {(error.strerror or type(error).__name__).lower()}."
    return EnvironmentFailure(sentence, hint=hints.get(error.errno or 0))


def _report(sentence: str, hint: str | None, code: int, *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"error": {"sentence": sentence, "hint": hint, "exit_code": code}}, indent=2))
    else:
        click.echo(f"envfreeze: {sentence}", err=True)
        if hint:
            click.echo(f"  {hint}", err=True)
    return code

"""Reports on replays, differences and sweeps, written to files.

The command line and ``import envfreeze`` both call these; what they are made of lies in ``envfreeze.report``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from envfreeze.errors import InputError
from envfreeze.records.comparison import Comparison
from envfreeze.records.report import Report
from envfreeze.records.verdict import Verdict


class Written(NamedTuple):
    """A report: where it lies, or its text when it was asked for on standard output."""

    path: Path | None
    text: str
    verdict: Verdict | None


def report(
    run: Path | str = ".",
    *,
    output: Path | str | None = None,
    format_name: str | None = None,
    require: Verdict | None = None,
) -> Written:
    """Write a report on a replay (see ``envfreeze.report``).

    Args:
        run: the folder of a replay or of a sweep, or a project, whose newest replay is then taken.
        output: the file to write, ``-`` for none; by default ``report.html`` beside the replay's record.
        format_name: ``html``, ``markdown``, ``junit`` or ``json``; by default as the file's suffix says.
        require: the least agreement that is called reproduced; by default ``equivalent``.

    Raises:
        InputError: there is no such replay or format.
        OSError: the file cannot be written.
    """
    from envfreeze.files import write
    from envfreeze.report import format_for
    from envfreeze.report.assemble import latest_run

    folder = Path(run).absolute()
    if not (folder / "run.json").is_file() and not (folder / "sweep.json").is_file():
        folder = latest_run(folder)
    to_stdout = str(output) == "-"
    path = folder / "report.html" if output is None else Path(output).absolute()
    if output is None and format_name is not None:
        path = folder / ("report" + format_for(format_name, "").suffixes[0])
    chosen = format_for(format_name or ("markdown" if to_stdout else None), path.name)
    made = _made(folder, require or Verdict.EQUIVALENT)
    text = chosen.render(made)
    if to_stdout:
        return Written(None, text, made.verdict)
    write(path, text.encode())
    return Written(path, text, made.verdict)


def _made(folder: Path, require: Verdict) -> Report:
    if (folder / "sweep.json").is_file():
        from envfreeze.report.assemble import report_on_sweep

        return report_on_sweep(folder)
    from envfreeze.report.assemble import report_on_run

    return report_on_run(folder, require)


def check_report(path: Path | str) -> None:
    """Refuse a report's file before the work that it reports on.

    Raises:
        InputError: its suffix is no format's, or its folder does not exist.
    """
    from envfreeze.report import format_for

    path = Path(path).absolute()
    format_for(None, path.name)
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} for the report does not exist.")


def report_difference(
    original: Path | str, replay: Path | str, comparison: Comparison, output: Path | str, *, require: Verdict
) -> None:
    """Write a report on what ``diff`` found; the file's suffix chooses the format.

    Raises:
        InputError: there is no such format.
        OSError: the file cannot be written.
    """
    from envfreeze.files import write
    from envfreeze.report import format_for
    from envfreeze.report.assemble import report_on_difference

    path = Path(output).absolute()
    made = report_on_difference(Path(original), Path(replay), comparison, require)
    write(path, format_for(None, path.name).render(made).encode())

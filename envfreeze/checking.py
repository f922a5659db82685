"""Whether a command is deterministic: it runs several times in copies of the project, and is compared.

Where the runs differ, it runs again with every source of chance held: a fixed hash seed, randomness from a
seed, a clock that starts at a fixed time, sorted folders, fixed addresses, one thread. Then one source after
the other is let go. A source that changes the outputs is one that the command depends on; several may be at
work at once, which is why not one is held but one let go.
"""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from envfreeze._check_runs import SOURCES, Bench, Outcome, difference
from envfreeze.errors import InputError
from envfreeze.observer import inject
from envfreeze.observer.launch import find_program
from envfreeze.progress import Progress, Silent
from envfreeze.records.checked import Checked, Differing, Reaction, SourceName

_HOW: dict[SourceName, str] = {
    "hashseed": "another PYTHONHASHSEED",
    "entropy": "the system's randomness instead of a seeded one",
    "clock": "the real time instead of a fixed start",
    "order": "folders listed backwards instead of sorted",
    "aslr": "random addresses instead of fixed ones",
    "threads": "as many threads as by default instead of one",
    "gpu": "with the GPU instead of without",
}
_SHIMMED = ("entropy", "clock", "order")


def check(
    command: Sequence[str],
    *,
    project: Path | str = ".",
    directory: Path | str | None = None,
    environment: Mapping[str, str] | None = None,
    runs: int = 2,
    vary: Sequence[SourceName] = (),
    progress: Progress | None = None,
) -> Checked:
    """Run the command ``runs`` times in copies of the project and compare what it made.

    Args:
        directory: where the command runs, inside the project; by default the current folder.
        vary: sources that are let go one by one even where the runs agree.

    Raises:
        InputError: the command does not exist, fails, or runs outside of the project.
        OSError: the copies cannot be written.
    """
    progress = progress or Silent()
    folder = Path(os.path.realpath(project))
    here = Path(os.path.realpath(directory or Path.cwd()))
    variables = dict(os.environ if environment is None else environment)
    if not here.is_relative_to(folder):
        raise InputError(f"the command would run in {here}, which is outside of the project {folder}.")
    find_program(command, variables, here)
    with Bench(command, folder, here, variables) as bench:
        plain = []
        for number in range(max(2, runs)):
            progress.step(f"running {shlex.join(command)} ({number + 1} of {max(2, runs)})")
            plain.append(bench.run())
            _refuse_failure(plain[-1])
        first = plain[0]
        differing: tuple[Differing, ...] = ()
        for again in plain[1:]:
            differing = differing or bench.described(first, again)
        sources, held, notes = _diagnosis(bench, vary, bool(differing), progress)
    return Checked(
        command=tuple(command),
        deterministic=not differing,
        runs=len(plain),
        duration=round(first.duration, 3),
        exit_status=first.exit_status,
        differing=differing,
        agrees_when_held=held,
        sources=sources,
        notes=(*bench.notes, *notes),
    )


def _refuse_failure(outcome: Outcome) -> None:
    if outcome.exit_status != 0:
        lines = (outcome.folder / "stderr").read_text(errors="replace").strip().splitlines()
        said = f": {lines[-1][:200]}" if lines else ""
        raise InputError(
            f"the command failed in a copy of the project (exit status {outcome.exit_status}){said}"
        )


def _diagnosis(
    bench: Bench, vary: Sequence[SourceName], differs: bool, progress: Progress
) -> tuple[tuple[Reaction, ...], bool | None, tuple[str, ...]]:
    """Which sources the outputs react to; whether they agree when all are held; notes."""
    if not differs and not vary:
        return (), None, ()
    wanted: list[SourceName] = list(vary) or list(SOURCES)
    notes = []
    if inject.shim() is None:
        notes.append("this installation has no shim: entropy, clock and order could not be held")
        wanted = [source for source in wanted if source not in _SHIMMED]
    if "gpu" in wanted and not bench.has_gpu:
        wanted.remove("gpu")
    progress.step("running with every source held")
    base = bench.run(held=SOURCES)
    _refuse_failure(base)
    again = bench.run(held=SOURCES)
    held = not difference(base, again)
    if not held:
        notes.append(
            "two runs differ even with every source held: the rest comes from races between threads or "
            "processes, the network, or what the command left outside of the project"
        )
    found = []
    for source in wanted:
        progress.step(f"letting go of {source}")
        found.append(_let_go(bench, source, base, set(difference(base, again)), natural=not vary))
    return tuple(found), held, tuple(notes)


def _let_go(bench: Bench, source: SourceName, base: Outcome, noise: set[str], *, natural: bool) -> Reaction:
    rest = tuple(name for name in SOURCES if name != source)
    seed = str(1 + secrets.randbelow(2**32 - 2))
    outcome = bench.run(held=rest, hash_seed=seed)
    changed = [path for path in difference(base, outcome) if path not in noise]
    if changed and natural and source in ("threads", "gpu"):
        # Another number of threads may well give other bits, and the same every time.
        changed = difference(outcome, bench.run(held=rest, hash_seed=seed))
    return Reaction(source=source, reacts=bool(changed), outputs=tuple(changed[:20]), how=_HOW[source])

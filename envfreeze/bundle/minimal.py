"""A smoke run that shows within minutes that an experiment works: named by its author, or derived.

Derived is only what the lock itself bears: a count of passes that argparse or click gave the program, made
small as an argument of the recorded command. Nobody has tried it, and that is said wherever it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from envfreeze.recipe.command import portable
from envfreeze.records.artifact import Experiment
from envfreeze.records.base import Record
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Parameter
from envfreeze.store import Store

_COUNTS = {
    1: ("epochs", "epoch", "n_epochs", "num_epochs", "max_epochs", "num_train_epochs", "nb_epochs",
        "repeats", "n_repeats", "num_repeats", "n_runs", "num_runs", "trials", "n_trials"),
    10: ("steps", "n_steps", "num_steps", "max_steps", "train_steps", "iterations", "n_iterations",
         "num_iterations", "max_iterations", "iters", "n_iter", "n_iters", "max_iter", "max_iters", "rounds",
         "num_rounds", "num_boost_round", "n_estimators"),
}  # fmt: skip
"""What parameters that count passes are called, by the count of a smoke run."""
_WORTH = 2
"""A count that does not become this many times smaller is not worth a run of its own."""


class Minimal(Record):
    """A smoke run, and where it comes from."""

    command: tuple[str, ...] = ()
    """Empty when there is none."""
    origin: str = ""
    """``the author``, or what was made small; empty when there is none."""


def minimal(experiment: Experiment, lock: Lock, store: Store) -> Minimal:
    """The author's smoke run, else one that is derived, else none."""
    if experiment.minimal:
        return Minimal(command=portable(experiment.minimal), origin="the author")
    if lock.run is None or lock.run.failed:
        return Minimal()
    command = portable(lock.run.command)
    for parameter, count in _counted(lock.run.parameters):
        made = _with(command, parameter, count, lock, store)
        if made is not None:
            origin = f"derived and not tried: {parameter.name} {count} instead of {parameter.value}"
            return Minimal(command=made, origin=origin)
    return Minimal()


def _counted(parameters: Sequence[Parameter]) -> Iterator[tuple[Parameter, int]]:
    """Parameters of a command line that count passes, with the count of a smoke run; epochs first."""
    for count, names in _COUNTS.items():
        for parameter in parameters:
            kind = parameter.owner.partition(" ")[0]
            plain = parameter.name.replace("-", "_").lower()
            if kind not in ("argparse", "click") or plain not in names:
                continue
            if re.fullmatch(r"\d{1,12}", parameter.value) and int(parameter.value) >= count * _WORTH:
                yield parameter, count


def _with(
    command: Sequence[str], parameter: Parameter, count: int, lock: Lock, store: Store
) -> tuple[str, ...] | None:
    """The command with another value of an option; None where it cannot be said for sure."""
    program = parameter.owner.partition(" ")[2]
    if program not in {PurePosixPath(word).name for word in command}:
        return None
    if parameter.source == "given" and parameter.origin.startswith("--"):
        return _replaced(command, parameter.origin, parameter.value, count)
    option = _option(program, parameter.name, lock, store) if parameter.source == "default" else None
    return (*command, option, str(count)) if option and "--" not in command else None


def _replaced(command: Sequence[str], option: str, value: str, count: int) -> tuple[str, ...] | None:
    words = list(command)
    places = [place for place, word in enumerate(words) if word.partition("=")[0] == option]
    if len(places) != 1:
        return None
    place = places[0]
    if words[place] == f"{option}={value}":
        words[place] = f"{option}={count}"
    elif words[place + 1 : place + 2] == [value]:
        words[place + 1] = str(count)
    else:
        return None
    return tuple(words)


def _option(program: str, name: str, lock: Lock, store: Store) -> str | None:
    """The option of a parameter that stood at its default, where the recorded program names it literally."""
    assert lock.run is not None
    places = [
        entry
        for entry in lock.run.files.entries
        if PurePosixPath(entry.path).name == program and entry.sha256
    ]
    if len(places) != 1 or str(places[0].sha256) not in store:
        return None
    digest = str(places[0].sha256)
    text = store.verified(digest, what=places[0].path).read_text(encoding="utf-8", errors="replace")
    for option in (f"--{name}", f"--{name.replace('_', '-')}"):
        if re.search(rf"""["']{re.escape(option)}["']""", text):
            return option
    return None

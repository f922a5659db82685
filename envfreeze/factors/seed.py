"""The seed of pseudo-random numbers: given to the command the way that it takes one.

It takes the place of the seed that stands in the recorded command (``--seed 7``, ``--seed=7``, ``seed=7``),
or stands after the option that ``--seed-to`` names, or in the variable of that name; ``ENVFREEZE_SEED`` has
it too.
"""

from __future__ import annotations

import re

import msgspec

from envfreeze.errors import InputError
from envfreeze.factors import Factor
from envfreeze.records.lock import Lock
from envfreeze.records.run import Job

VARIABLE = "ENVFREEZE_SEED"
_WORD = re.compile(r"(--?)?(?:[\w.-]*[._-])?(?:seed|random[_-]state)", re.IGNORECASE)
_ENVIRONMENT = ("SEED", "RANDOM_SEED", "GLOBAL_SEED", "PL_GLOBAL_SEED")


def value(lock: Lock, number: int) -> str:
    """1, 2, 3 …: plain seeds that anybody can give by hand."""
    return str(number + 1)


def apply(job: Job, value: str, passed: str) -> Job:
    """The job whose command gets the seed.

    Raises:
        InputError: ``passed`` is neither an option nor the name of a variable.
    """
    command, variables = list(job.command), {VARIABLE: value}
    if passed.startswith("-"):
        command = _with_option(command, passed, value)
    elif passed.endswith("="):
        command = _with_word(command, passed, value)
    elif passed:
        if not re.fullmatch(r"[A-Za-z_]\w*", passed):
            raise InputError(
                f"--seed-to {passed!r} is neither an option of the command nor a variable.",
                hint="For example: --seed-to=--seed, --seed-to seed= or --seed-to SEED",
            )
        variables[passed] = value
    return msgspec.structs.replace(job, command=tuple(command), environment=job.environment | variables)


def _with_option(command: list[str], option: str, value: str) -> list[str]:
    for place, word in enumerate(command):
        if word == option and place + 1 < len(command):
            return [*command[: place + 1], value, *command[place + 2 :]]
        if word.startswith(f"{option}="):
            return [*command[:place], f"{option}={value}", *command[place + 1 :]]
    return [*command, option, value]


def _with_word(command: list[str], start: str, value: str) -> list[str]:
    kept = [f"{start}{value}" if word.startswith(start) else word for word in command]
    return kept if any(word.startswith(start) for word in command) else [*command, f"{start}{value}"]


def detected(lock: Lock, command: tuple[str, ...]) -> str:
    """What takes the seed: an option, ``name=``, or a variable; empty when nothing that is known does."""
    for place, word in enumerate(command):
        name, equals, _ = word.partition("=")
        match = _WORD.fullmatch(name)
        if match and match[1] and (equals or place + 1 < len(command)):
            return name
        if match and equals and place > 0:
            return f"{name}="
    assert lock.run is not None
    for variable in _ENVIRONMENT:
        if variable in lock.run.environment:
            return variable
    for parameter in lock.run.parameters:
        if parameter.owner.startswith(("argparse", "click", "typer", "absl")) and parameter.name == "seed":
            return "--seed"
        if parameter.owner.startswith("hydra") and parameter.name == "seed":
            return "seed="
    return ""


FACTOR = Factor(name="seed", what="the seed of pseudo-random numbers", value=value, apply=apply)

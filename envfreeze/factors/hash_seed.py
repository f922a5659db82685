"""Python's seed of string hashes: the order of sets
(https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED)."""

from __future__ import annotations

import msgspec

from envfreeze.factors import Factor
from envfreeze.records.lock import Lock
from envfreeze.records.run import Job


def value(lock: Lock, number: int) -> str:
    """1, 2, 3 …; 0 would switch the randomness of hashes off."""
    return str(number + 1)


def apply(job: Job, value: str, passed: str) -> Job:
    """The job whose Pythons hash with that seed."""
    return msgspec.structs.replace(job, environment=job.environment | {"PYTHONHASHSEED": value})


FACTOR = Factor(name="hash-seed", what="the order of Python's sets", value=value, apply=apply)

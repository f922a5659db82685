"""The number of threads of numerical libraries: sums in another order round in another way."""

from __future__ import annotations

import msgspec

from envfreeze.factors import Factor
from envfreeze.records.lock import Lock
from envfreeze.records.run import Job

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def value(lock: Lock, number: int) -> str:
    """1, 2, 4 … up to the cores of the recorded machine, and from the start again."""
    counts = [1]
    while counts[-1] * 2 <= (lock.cpu.usable_cores or 1):
        counts.append(counts[-1] * 2)
    return str(counts[number % len(counts)])


def apply(job: Job, value: str, passed: str) -> Job:
    """The job whose libraries use so many threads."""
    return msgspec.structs.replace(job, environment=job.environment | dict.fromkeys(VARIABLES, value))


FACTOR = Factor(name="threads", what="threads of numerical libraries", value=value, apply=apply)

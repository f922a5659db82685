"""Thread counts: restored where this machine would choose another number, and otherwise left alone.

The number of threads decides how sums are split, and so their last bits. A variable that the recorded run did
not have is still only set when this machine has other cores than the recorded one: launchers such as joblib
give their workers a share of the cores unless the variable is set, so that setting it to its very default
would change what the workers compute.
"""

from __future__ import annotations

import os
from pathlib import Path

from envfreeze.records.lock import Lock


def cores_here() -> tuple[int, int]:
    """Usable and physical cores of this machine; 0 when unknown."""
    import psutil

    return len(os.sched_getaffinity(0)), psutil.cpu_count(logical=False) or 0


def same_cores(lock: Lock) -> bool:
    """True when libraries count the same cores here as in the recorded run, or when that is not known."""
    recorded = lock.cpu.usable_cores, lock.cpu.physical_cores
    return all(then in (0, now) for then, now in zip(recorded, cores_here(), strict=True))


def in_force(lock: Lock, library: str) -> int:
    """Threads that the library used in the recorded run, the most where it was loaded twice; 0 if unseen."""
    return max((seen.threads for seen in lock.cpu.libraries if seen.name == library), default=0)


def recorded_threads(lock: Lock, library: str, default: int) -> str | None:
    """The recorded number of threads, or None when this machine arrives at the same by itself.

    Args:
        lock: the recorded environment.
        library: name in ``lock.cpu.libraries``.
        default: what the library takes on the recorded machine when nobody tells it; 0 when unknown.
    """
    threads = in_force(lock, library) or default
    return None if same_cores(lock) or threads < 1 else str(threads)


def usable(lock: Lock) -> int:
    """The default of most libraries: the cores that the recorded run was allowed to use."""
    return lock.cpu.usable_cores or lock.cpu.logical_cores


def physical(lock: Lock) -> int:
    """The default of MKL: physical cores, as far as the run was allowed to use them."""
    return min(lock.cpu.physical_cores, usable(lock)) or usable(lock)


def has_gpu(lock: Lock) -> bool:
    """True when the recorded machine had a CUDA device."""
    return lock.cuda is not None and bool(lock.cuda.gpus)


def was_set(lock: Lock, variable: str) -> bool:
    """True when the recorded run had the variable."""
    return lock.run is not None and variable in lock.run.environment


def this_machine() -> Lock:
    """What is known before a run: this machine. Rules for the profiles that act at a freeze are given it."""
    from envfreeze.probes.cpu import describe
    from envfreeze.records.environment import Cuda, Gpu, Interpreter
    from envfreeze.records.lock import SCHEMA_VERSION

    gpus = tuple(Gpu(model="NVIDIA") for _ in Path("/proc/driver/nvidia/gpus").glob("*"))
    unknown = Interpreter(implementation="unknown", version="unknown")
    cuda = Cuda(gpus=gpus) if gpus else None
    return Lock(envfreeze_lock=SCHEMA_VERSION, interpreter=unknown, cpu=describe(), cuda=cuda)


def all_cores(lock: Lock) -> str:
    """The thread count of the profile strict: the cores that the recorded run may use, said outright."""
    return str(usable(lock) or 1)


def one_thread(lock: Lock) -> str:
    """The thread count of the profile portable, which every machine can give."""
    return "1"

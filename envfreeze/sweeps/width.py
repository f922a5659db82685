"""How many runs at a time this machine bears."""

from __future__ import annotations

import math
from typing import NamedTuple

from envfreeze.records.lock import Lock

SHARE = 0.8
"""Of the memory that is free; the rest is for what grows beside the runs."""


class Width(NamedTuple):
    jobs: int
    why: str


def width(lock: Lock, runs: int, *, cores: int, memory: int) -> Width:
    """Runs at a time.

    Args:
        runs: how many there are to do.
        cores: usable ones.
        memory: free bytes.
    """
    assert lock.run is not None
    busy = max(1, math.ceil(lock.run.cpu / lock.run.duration - 0.5)) if lock.run.duration > 0 else 1
    bounds = {f"{runs} to do": runs, f"{cores} cores, {busy} busy in each run": max(1, cores // busy)}
    if lock.run.peak_memory:
        peak = lock.run.peak_memory
        bounds[f"{peak / 1e9:.2g} GB for each run, {memory / 1e9:.2g} GB free"] = max(
            1, int(SHARE * memory / peak)
        )
    why = min(bounds, key=lambda reason: bounds[reason])
    return Width(max(1, bounds[why]), why)


def machine() -> tuple[int, int]:
    """Usable cores, and free bytes of memory."""
    import os

    import psutil

    return len(os.sched_getaffinity(0)), int(psutil.virtual_memory().available)

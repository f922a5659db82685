"""Determinism settings: what a profile asks for, and whether it was found in force."""

from __future__ import annotations

from typing import Literal

from envfreeze.records.base import Record

Profile = Literal["recorded", "strict", "portable", "off"]
"""What is done about randomness, time and kernels (see ``envfreeze.determinism``)."""

InForce = Literal["yes", "no", "not loaded", "unknown"]


class Setting(Record):
    """One determinism switch as applied to a run."""

    variable: str
    """Name of the environment variable, or of the call."""
    value: str
    library: str
    why: str
    source: str
    kind: Literal["variable", "call"] = "variable"
    """A call is made by the agent right after the import of its library, in every Python of the run."""
    in_force: InForce = "unknown"
    """``not loaded``: no process imported the library; ``unknown``: no Python of the run could be asked."""
    found: str = ""
    """What was read back from the processes and the libraries."""


class Strictness(Record):
    """What makes a run strict, beside its variables."""

    seed: int = 0
    hold: tuple[str, ...] = ("entropy", "clock", "order")
    """Sources that are made from the seed and the fixed start; others stay as they are."""

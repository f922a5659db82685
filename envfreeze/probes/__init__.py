"""Probes: each inspects one thing and fills one section of the lock.

To add one, add a file with ``PROBE = Probe(section=…, inspect=…)``; the registry finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from envfreeze.errors import ProbeError
from envfreeze.files import is_full
from envfreeze.records.base import Record
from envfreeze.records.files import Gap

VENDOR_LIMIT = 2 << 30
"""Bytes: a CPU-only PyTorch with its companions fits, its CUDA libraries (5 GB) do not go unnoticed."""


class Target(Record, forbid_unknown_fields=False):
    """What is known of the environment that the probes look at.

    ``facts`` is what the target's own interpreter said of itself (``observer/agent/inspect_target.py``),
    ``events`` what the agents inside the run reported at its end (``observer.events``).
    """

    executable: str
    """The target's interpreter."""
    directory: str
    """Working directory of the command, where git and project configuration are looked up."""
    environment: dict[str, str]
    """The variables that the command ran with, secrets included: never written anywhere."""
    facts: dict[str, Any] = {}
    libraries: tuple[str, ...] = ()
    """Shared libraries that the run loaded, absolute paths."""
    devices: tuple[str, ...] = ()
    """Files of GPUs below ``/dev`` that the run had mapped at its end."""
    was_run: bool = False
    """False when the environment alone is frozen, so that nothing can have been loaded."""
    resources: tuple[str, ...] = ()
    """Fonts, time zones, locales and dictionaries of the system that the run read, absolute paths."""
    numerics: tuple[dict[str, Any], ...] = ()
    """What threadpoolctl and torch said in the run, when they were loaded there."""
    offline: bool = False
    """True when no index may be asked."""
    vendor_limit: int = VENDOR_LIMIT
    """Most bytes of wheels that may be made of installed files because no index could be asked."""
    prove: bool = True
    """Whether the packages' files are held against what is installed."""
    project: Path
    """The project's folder, for probes that keep something in its store."""


class Section(Record):
    """A probe's answer: the section's record, and what it could not see."""

    value: Any
    gaps: tuple[Gap, ...] = ()


class Probe(Record):
    """One inspected thing; ``section`` is the name of the lock's field that ``inspect`` fills."""

    section: str
    inspect: Callable[[Target], Section]


def inspect_all(target: Target) -> tuple[dict[str, Any], tuple[Gap, ...]]:
    """Run every probe at the same time; a probe that fails leaves a gap and not a broken freeze.

    Raises:
        OSError: the disk is full, so that what a probe keeps cannot be kept.
    """
    from envfreeze import probes
    from envfreeze.registry import members

    found = members(probes, "PROBE", Probe)

    def run(probe: Probe) -> Section:
        try:
            return probe.inspect(target)
        except ProbeError as error:
            return Section(value=None, gaps=(Gap(what=probe.section, why=str(error)),))
        except Exception as error:  # a probe must never end a freeze, but one with half of what it needs
            if is_full(error):
                raise
            if isinstance(error, KeyError) and not target.facts:
                # The interpreter said nothing of itself, which is a gap of its own.
                return Section(value=None)
            why = f"the probe failed: {type(error).__name__}: {error}"
            return Section(value=None, gaps=(Gap(what=probe.section, why=why),))

    with ThreadPoolExecutor(len(found) or 1) as pool:
        sections = list(pool.map(run, found))
    values = {probe.section: section.value for probe, section in zip(found, sections, strict=True)}
    gaps = tuple(gap for section in sections for gap in section.gaps)
    return {name: value for name, value in values.items() if value is not None}, gaps

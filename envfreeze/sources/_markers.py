"""Environment markers (PEP 508) for a machine that need not be this one."""

from __future__ import annotations

import re
from typing import Any

from envfreeze.errors import InputError
from envfreeze.sources import Machine


def holds(marker: str, machine: Machine) -> bool:
    """Whether a dependency with this marker is wanted there; an empty marker always holds.

    Raises:
        InputError: it is no marker.
    """
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison

    if not marker:
        return True
    try:
        return Marker(marker).evaluate({**environment(machine), "extra": ""})
    except (InvalidMarker, UndefinedComparison):
        raise InputError(f"{marker!r} is no environment marker.") from None


def environment(machine: Machine) -> dict[str, Any]:
    """The values that markers are compared with."""
    from packaging.markers import default_environment

    series = ".".join(re.findall(r"\d+", machine.version)[:2])
    full = machine.version if machine.version.count(".") > 1 else f"{series}.0"
    return {
        **default_environment(),
        "python_version": series,
        "python_full_version": full,
        "implementation_version": full,
    }

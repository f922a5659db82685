"""``requirements.txt`` and ``requirements.in`` of pip and pip-tools."""

from __future__ import annotations

from pathlib import Path

from envfreeze.sources import Source
from envfreeze.sources._compile import resolve


def _recognises(path: Path) -> bool:
    """Any name will do: people call them ``dev.txt`` and ``constraints.in`` too."""
    return path.suffix in {".in", ".txt"}


def _requires_python(path: Path) -> str:
    """The format says nothing of Python."""
    return ""


SOURCE = Source(
    name="requirements.in",
    recognises=_recognises,
    requires_python=_requires_python,
    read=resolve,
)

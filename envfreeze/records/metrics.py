"""Numbers that a run reported about itself."""

from __future__ import annotations

from envfreeze.records.base import Record


class Metric(Record):
    """One number in one output."""

    path: str
    """The output, relative to the project; ``<stdout>`` for what the command printed."""
    selector: str
    """Where in it, for example ``forest.accuracy``, ``method=ours.f1`` or ``losses[-1]``."""
    value: float | None
    """None for what is no finite number (NaN, infinity)."""

    @property
    def name(self) -> str:
        """``path:selector``, as ``--metric`` and claims write it."""
        quoted = f'"{self.path}"' if ":" in self.path or " " in self.path else self.path
        return f"{quoted}:{self.selector}"

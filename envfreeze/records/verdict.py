"""How well two results agree: the words that are pinned for users, files and exit codes."""

from __future__ import annotations

import enum


class Verdict(enum.StrEnum):
    """From best to worst; a set of outputs is as good as its worst member.

    The first five are rungs of agreement. The others say that there is none: nothing could be compared,
    an output is new, is gone, or has another content. None of those four is ever a success.
    """

    IDENTICAL = "identical"
    """Every bit is the same."""
    EQUIVALENT = "equivalent"
    """Equal once documented, listed non-results (a date, the order of keys) are set aside."""
    CLOSE = "close"
    """Numbers within a stated tolerance, all else equal."""
    INDISTINGUISHABLE = "indistinguishable"
    """Statistically not told apart over seeds."""
    SAME_CONCLUSION = "same-conclusion"
    """The numbers differ, and every stated claim holds."""
    UNCOMPARED = "uncompared"
    EXTRA = "extra"
    MISSING = "missing"
    DIFFERENT = "different"

    @property
    def rank(self) -> int:
        """0 for the best; grows as agreement gets worse."""
        return _ORDER.index(self)

    def satisfies(self, required: Verdict) -> bool:
        """True when this is at least as good as ``required``, and is agreement at all."""
        return self.rank <= required.rank and self.rank <= Verdict.SAME_CONCLUSION.rank


_ORDER = tuple(Verdict)

LEVELS = tuple(verdict for verdict in Verdict if verdict.rank <= Verdict.SAME_CONCLUSION.rank)
"""What ``--require`` accepts."""


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of a whole; ``uncompared`` when there is nothing to judge."""
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.UNCOMPARED)

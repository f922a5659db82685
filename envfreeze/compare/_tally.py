"""Keeps count of how the parts of two outputs agree, and turns that into a verdict with its reason."""

from __future__ import annotations

from collections import Counter

from envfreeze.compare import Finding, Options
from envfreeze.compare._aliases import names_set_aside
from envfreeze.compare._numbers import FLOAT64, Agreement, agreement, tolerance
from envfreeze.records.comparison import Difference
from envfreeze.records.verdict import Verdict

ONLY_ORIGINAL = "only in the original"
ONLY_REPLAY = "only in the replay"

_LENGTH = 80


def shown(text: str) -> str:
    """A text short enough for a reason; the middle is left out, lone surrogates are written as escapes."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= _LENGTH:
        return text
    half = _LENGTH // 2 - 2
    return f"{text[:half]} … {text[-half:]}"


class Tally:
    """Parts are added with ``same_text``, ``number``, ``differ`` and ``aside``; ``finding`` sums up.

    Memory stays bounded: only the first ``options.max_differences`` differences are kept.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.differing = 0
        self.close = 0
        self.set_aside: Counter[str] = Counter()
        self._differences: list[Difference] = []
        self._closest: list[Difference] = []
        self._largest: tuple[float, Difference] | None = None

    def differ(self, where: str, original: str, replay: str, note: str = "") -> None:
        """A part that does not agree."""
        self.differing += 1
        if len(self._differences) < self.options.max_differences:
            self._differences.append(
                Difference(where=where, original=shown(original), replay=shown(replay), note=note)
            )

    def aside(self, name: str, count: int = 1) -> None:
        """A documented non-result that differs and does not count."""
        self.set_aside[name] += count

    def near(self, where: str, original: str, replay: str, relative: float, note: str = "") -> None:
        """A number within tolerance; ``relative`` is the relative difference."""
        self.close += 1
        difference = Difference(where=where, original=shown(original), replay=shown(replay), note=note)
        if len(self._closest) < self.options.max_differences:
            self._closest.append(difference)
        if self._largest is None or relative > self._largest[0]:
            self._largest = relative, difference

    def number(
        self, where: str, original: str, replay: str, note: str = "", *, spelling_counts: bool = False
    ) -> None:
        """Two written numbers. With ``spelling_counts``, equal values in other digits are only close."""
        how, relative = agreement(original, replay, self.options)
        if how is Agreement.DIFFERENT:
            self.differ(where, original, replay, note)
        elif how is Agreement.CLOSE or (spelling_counts and original != replay):
            self.near(where, original, replay, relative, note)

    def text(self, where: str, original: str, replay: str) -> None:
        """Two texts that are equal, or equal but for aliases, or differ."""
        if original == replay:
            return
        names = names_set_aside(original, replay, self.options)
        if names is None:
            self.differ(where, original, replay)
        else:
            self.set_aside.update(names)

    def finding(self, otherwise: str) -> Finding:
        """The verdict; ``otherwise`` says what differs when every part agrees, as the bytes do differ."""
        listed = tuple(f"{name}: {_places(count)}" for name, count in sorted(self.set_aside.items()))
        if self.differing:
            verdict, reason, differences = Verdict.DIFFERENT, self._reason_different(), self._differences
        elif self.close:
            verdict, reason, differences = Verdict.CLOSE, self._reason_close(), self._closest
        else:
            reason = f"equal but for {', '.join(listed)}" if listed else otherwise
            verdict, differences = Verdict.EQUIVALENT, []
        return Finding(verdict=verdict, reason=reason, differences=tuple(differences), set_aside=listed)

    def _reason_different(self) -> str:
        if not self._differences:
            return f"{self.differing} differences"
        more = self.differing - 1
        rest = f"; {more} more difference{'s' * (more > 1)}" if more else ""
        return in_words(self._differences[0]) + rest

    def _reason_close(self) -> str:
        assert self._largest is not None
        relative, largest = self._largest
        count = f"{self.close} number{'s differ' if self.close > 1 else ' differs'}"
        allowed = tolerance(self.options, FLOAT64)
        return f"{count} within {allowed}; largest: {in_words(largest)} (relative {relative:.1e})"


def in_words(difference: Difference) -> str:
    """One difference as a phrase, for example ``$.accuracy 0.97 → 0.96``."""
    note, where = difference.note, difference.where
    if note in (ONLY_ORIGINAL, ONLY_REPLAY):
        return f"{where} {note}: {difference.original or difference.replay or '(empty)'}"
    label = f"{where} ({note})" if note else where
    return f"{label} {difference.original or '(empty)'} → {difference.replay or '(empty)'}"


def _places(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"

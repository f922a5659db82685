"""Keeps count of how the parts of two outputs agree, and turns that into a verdict with its reason."""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from envfreeze.compare import Finding, Options
from envfreeze.compare._aliases import names_set_aside
from envfreeze.compare._numbers import (
    FLOAT32,
    FLOAT64,
    Agreement,
    Tolerance,
    agreement,
    steps_apart,
    tolerance,
)
from envfreeze.records.comparison import Difference
from envfreeze.records.verdict import Verdict

ONLY_ORIGINAL = "only in the original"
ONLY_REPLAY = "only in the replay"

_LENGTH = 80
MAX_ARRAYS = 100
"""Lines of the table of arrays in a checkpoint."""


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
        self._largest: tuple[float, str] | None = None
        self._headline = ""
        self._groups: set[str] = set()
        self._remarks: list[str] = []

    def differ(self, where: str, original: str, replay: str, note: str = "", *, group: str = "") -> None:
        """A part that does not agree. Of a ``group`` (a curve) only the first difference is listed."""
        self.differing += 1
        first = group not in self._groups
        difference = Difference(where=where, original=shown(original), replay=shown(replay), note=note)
        if not self._headline:
            self._headline = self._parts(difference) if group else in_words(difference)
        if group:
            self._groups.add(group)
        if (first or not group) and len(self._differences) < self.options.max_differences:
            self._differences.append(difference)

    def _parts(self, difference: Difference) -> str:
        """The first difference of a curve, and what came before it."""
        how = "agrees within tolerance" if self.close else "is identical"
        before = f"everything before {'is equivalent' if self.set_aside and not self.close else how}"
        note = f" ({difference.note})" if difference.note else ""
        return f"{difference.where} parts: {difference.original} → {difference.replay}{note}; {before}"

    def include(self, where: str, finding: Finding) -> None:
        """What another comparator found of a part: a member, an array."""
        prefix = f"{where}: " if where else ""
        reason = finding.reason if finding.reason.startswith(prefix) else prefix + finding.reason
        inner = [replace(found, where=f"{prefix}{found.where}") for found in finding.differences]
        for item in finding.set_aside:
            name, _, count = item.rpartition(": ")
            self.aside(name or item, int(count.split()[0]) if count.split()[0].isdigit() else 1)
        if finding.verdict is Verdict.EQUIVALENT:
            if not finding.set_aside:
                self.aside(finding.reason)
        elif finding.verdict is Verdict.CLOSE:
            self.close += 1
            self._closest += inner[: max(0, self.options.max_differences - len(self._closest))]
            relative = finding.relative or 0.0
            if self._largest is None or relative > self._largest[0]:
                self._largest = relative, reason
        elif finding.verdict is not Verdict.IDENTICAL:
            self.differing += 1
            self._headline = self._headline or reason
            self._differences += inner[: max(0, self.options.max_differences - len(self._differences))]

    def array(self, where: str, finding: Finding) -> None:
        """What was found of one array among many: one line of the table of arrays, then its elements."""
        if finding.verdict in (Verdict.DIFFERENT, Verdict.CLOSE) and finding.differences:
            first = finding.differences[0]
            summary = finding.reason.removeprefix(f"{where}: ")
            line = Difference(where=where, original=first.original, replay=first.replay, note=summary)
            finding = replace(finding, differences=(line,))
            listed = self._differences if finding.verdict is Verdict.DIFFERENT else self._closest
            if len(listed) < MAX_ARRAYS:
                listed.append(line)
            finding = replace(finding, differences=())
        self.include(where, finding)

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
            self._largest = relative, f"{in_words(difference)} (relative {relative:.1e})"

    def number(
        self,
        where: str,
        original: str,
        replay: str,
        note: str = "",
        *,
        spelling_counts: bool = False,
        group: str = "",
        default: Tolerance = FLOAT64,
    ) -> None:
        """Two written numbers. With ``spelling_counts``, equal values in other digits are only close."""
        how, relative = agreement(original, replay, self.options, default)
        if how is Agreement.DIFFERENT:
            apart = steps_apart(original, replay, single=default is FLOAT32) if group else ""
            self.differ(where, original, replay, ", ".join(filter(None, (note, apart))), group=group)
        elif how is Agreement.CLOSE or (spelling_counts and original != replay):
            self.near(where, original, replay, relative, note)

    def remark(self, sentence: str) -> None:
        """What the reason says at its end, such as why a part was compared more plainly."""
        self._remarks.append(sentence)

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
        if self._remarks:
            reason += f" ({'; '.join(self._remarks)})"
        return Finding(
            verdict=verdict,
            reason=reason,
            differences=tuple(differences),
            set_aside=listed,
            relative=None if self._largest is None else self._largest[0],
        )

    def _reason_different(self) -> str:
        more = self.differing - 1
        rest = f"; {more} more difference{'s' * (more > 1)}" if more else ""
        return self._headline + rest

    def _reason_close(self) -> str:
        assert self._largest is not None
        largest = self._largest[1]
        if "elements differ, within" in largest or "differs within" in largest or "differ within" in largest:
            return largest + (f"; {self.close - 1} more parts are close" if self.close > 1 else "")
        count = f"{self.close} number{'s differ' if self.close > 1 else ' differs'}"
        allowed = tolerance(self.options, FLOAT64)
        return f"{count} within {allowed}; largest: {largest}"


def in_words(difference: Difference) -> str:
    """One difference as a phrase, for example ``$.accuracy 0.97 → 0.96``."""
    note, where = difference.note, difference.where
    if note in (ONLY_ORIGINAL, ONLY_REPLAY):
        return f"{where} {note}: {difference.original or difference.replay or '(empty)'}"
    label = f"{where} ({note})" if note else where
    return f"{label} {difference.original or '(empty)'} → {difference.replay or '(empty)'}"


def _places(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"

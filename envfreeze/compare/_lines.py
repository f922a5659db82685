"""One line of text against another, part by part."""

from __future__ import annotations

import re
from typing import NamedTuple

from envfreeze.compare import Options
from envfreeze.compare._aliases import pattern as alias_pattern
from envfreeze.compare._aliases import rule_name
from envfreeze.compare._numbers import NUMBER, Agreement, agreement, is_number, steps_apart
from envfreeze.compare._set_aside import TEXT_RULES, TextRule
from envfreeze.compare._tally import Tally

_RULES = tuple((rule, re.compile(rule.pattern)) for rule in TEXT_RULES)
_NUMBER = re.compile(rf"(?<![\w.]){NUMBER}(?![\w]|\.\w)")
"""A number that stands alone: not the 1 of ``v1.2``, not the 3 of ``a3f``, not the 10 of ``1.10.0``."""
_MAY_HOLD_TIME = re.compile(r"\d:\d\d|(?:19|20)\d\d[-/]")
_LABEL = 30
SPACE = " \t\r\n"
"""What is set aside at the end of a line."""


class Part(NamedTuple):
    """A piece of a line: plain text, an alias, a number, or what a rule sets aside."""

    kind: str
    text: str
    rule: TextRule | None = None


class Clocks:
    """Watches the times that are set aside: a clock that has parted does not come back.

    A time that differs on one line, while a later line of the same kind has the same time in both, is data
    (say, the time stamps of a series), and then its difference counts.
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, str, str]] = {}
        self._back: dict[str, str] = {}

    def see(self, rule: TextRule, where: str, original: str, replay: str) -> None:
        """Take note of a value that a clock rule found in both lines."""
        if not rule.clock:
            return
        if original != replay:
            self._first.setdefault(rule.name, (where, original, replay))
        elif rule.name in self._first:
            self._back.setdefault(rule.name, where)

    def judge(self, tally: Tally) -> None:
        """Count as different what turned out to be data."""
        for name, again in self._back.items():
            where, original, replay = self._first[name]
            tally.differ(where, original, replay, f"no {name} of the run, as {again} has the same in both")
            del tally.set_aside[name]


def compare_lines(
    where: str, original: str, replay: str, tally: Tally, clocks: Clocks, *, dry: bool = False
) -> bool:
    """Add the parts in which two lines differ to the tally; False when one of them is a real difference.

    With ``dry`` nothing is added.
    """
    if original == replay:
        if not dry and _MAY_HOLD_TIME.search(original):
            for rule, value in _clock_values(original):
                clocks.see(rule, where, value, value)
        return True
    one, two = original.rstrip(SPACE), replay.rstrip(SPACE)
    if one == two:
        if not dry:
            tally.aside("line ends and trailing space")
        return True
    ones, twos = parts(one, tally.options), parts(two, tally.options)
    if not _alike(ones, twos, tally.options):
        if not dry:
            _differ(where, ones, twos, one, two, tally)
        return False
    if not dry:
        _add(where, ones, twos, tally, clocks)
        if len(original) - len(one) != len(replay) - len(two):
            tally.aside("line ends and trailing space")
    return True


def parts(line: str, options: Options) -> list[Part]:
    """Cut a line into its parts; where two rules overlap, the earlier in this order wins: non-results,
    aliases, numbers."""
    spans: list[tuple[int, int, str, TextRule | None]] = []
    for rule, pattern in _RULES:
        spans += [(*match.span("value"), "aside", rule) for match in pattern.finditer(line)]
    aliases = alias_pattern(options.aliases)
    if aliases is not None:
        spans += [(*match.span(), "alias", None) for match in aliases.finditer(line)]
    spans += [(*match.span(), "number", None) for match in _NUMBER.finditer(line) if is_number(match[0])]
    taken, occupied = [], bytearray(len(line))
    for span in spans:
        start, end = span[:2]
        if occupied.find(1, start, end) < 0:
            occupied[start:end] = b"\1" * (end - start)
            taken.append(span)
    result, position = [], 0
    for start, end, kind, found in sorted(taken, key=lambda span: span[0]):
        result += [Part("text", line[position:start]), Part(kind, line[start:end], found)]
        position = end
    return [*result, Part("text", line[position:])]


def _clock_values(line: str) -> list[tuple[TextRule, str]]:
    return [
        (rule, match["value"]) for rule, pattern in _RULES if rule.clock for match in pattern.finditer(line)
    ]


def _alike(ones: list[Part], twos: list[Part], options: Options) -> bool:
    return len(ones) == len(twos) and all(
        _agree(one, two, options) for one, two in zip(ones, twos, strict=True)
    )


def _agree(one: Part, two: Part, options: Options) -> bool:
    if one.kind != two.kind or one.rule is not two.rule:
        return False
    if one.text == two.text or one.kind == "aside":
        return True
    if one.kind == "alias":
        return rule_name(one.text, two.text, options.aliases) is not None
    if one.kind == "number":
        return agreement(one.text, two.text, options)[0] is not Agreement.DIFFERENT
    return False


def _add(where: str, ones: list[Part], twos: list[Part], tally: Tally, clocks: Clocks) -> None:
    before = ""
    for one, two in zip(ones, twos, strict=True):
        if one.rule is not None:
            clocks.see(one.rule, where, one.text, two.text)
            if one.text != two.text:
                tally.aside(one.rule.name)
        elif one.kind == "number":
            tally.number(where, one.text, two.text, before.strip()[-_LABEL:], spelling_counts=True)
        elif one.text != two.text:
            tally.aside(rule_name(one.text, two.text, tally.options.aliases) or "")
        before = one.text


_STEP = re.compile(r"(?i:\b(?P<name>step|epoch|iteration|iter|round)\W{0,4}(?P<number>\d+))(?![\d.])")


def _differ(where: str, ones: list[Part], twos: list[Part], one: str, two: str, tally: Tally) -> None:
    """Name the number that differs, with the step of the training where the line says it."""
    first, second, label = _where_they_part(ones, twos, one, two, tally.options)
    steps = [match[0].lower() if (match := _STEP.search(line)) else "" for line in (one, two)]
    match = _STEP.search(one)
    if not label or match is None or steps[0] != steps[1]:
        tally.differ(where, first, second, label)
        return
    name = _NAME.sub(" ", label).split()[-1:] or [label]
    step = f"{match['name'].lower()} {match['number']}"
    apart = steps_apart(first, second)
    note = f"{where}, {apart}" if apart else where
    tally.differ(f"{name[0]} at {step}", first, second, note, group=name[0])


_NAME = re.compile(r"[^\w./@-]+")


def _where_they_part(
    ones: list[Part], twos: list[Part], line: str, other: str, options: Options
) -> tuple[str, str, str]:
    """The number that differs and the words before it, when that is all; otherwise both lines."""
    words = [[part.text for part in line if part.kind == "text"] for line in (ones, twos)]
    if words[0] == words[1]:
        before = ""
        for one, two in zip(ones, twos, strict=False):
            if one.kind == two.kind == "number" and not _agree(one, two, options):
                return one.text, two.text, before.strip()[-_LABEL:]
            before = one.text
    return line, other, ""

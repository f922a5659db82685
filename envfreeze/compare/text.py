"""Text by lines: numbers as numbers, documented non-results set aside, line ends and trailing space too.

Lines are read in step and never all at once. At the first line that differs the next few hundred lines of
both are aligned, so that a line which was put in or left out is named as such.
"""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Iterator
from itertools import chain, islice, zip_longest
from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._lines import SPACE, Clocks, compare_lines
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally

MAX_LINE = 1 << 20
"""Bytes; a longer line is no text that a person would read by lines."""
WINDOW = 200
"""Lines that are aligned after the first difference."""


def recognises(sample: Sample) -> bool:
    """UTF-8 without NUL; a character that the end of the sample cuts in two is forgiven."""
    if b"\0" in sample.head:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample.head, final=sample.size <= len(sample.head))
    except UnicodeDecodeError:
        return False
    return True


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Equivalent, close or different by lines.

    Raises:
        NotThisKind: further on it is not UTF-8, or a line is too long.
    """
    tally, clocks = Tally(options), Clocks()
    first, second = lines(original), lines(replay)
    for number, (one, two) in enumerate(zip_longest(first, second), 1):
        if one is None or two is None:
            _judge_rest(tally, number, one, two, first, second)
            break
        if not compare_lines(f"line {number}", one, two, tally, clocks, dry=True):
            _align(tally, number, [one], [two], first, second)
            break
        compare_lines(f"line {number}", one, two, tally, clocks)
    clocks.judge(tally)
    return tally.finding("the same lines")


def lines(path: Path) -> Iterator[str]:
    """The lines of a file, each with its end.

    Raises:
        NotThisKind: not UTF-8, or a line is longer than ``MAX_LINE``.
    """
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise NotThisKind(f"line {number} is longer than {MAX_LINE >> 20} MiB")
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError:
                raise NotThisKind(f"line {number} is not UTF-8") from None


def _judge_rest(
    tally: Tally, number: int, one: str | None, two: str | None, first: Iterator[str], second: Iterator[str]
) -> None:
    """One side has ended: what the other still has is only blank lines, or a difference."""
    rest = chain([one or two or ""], first if two is None else second)
    for extra, line in enumerate(rest):
        if line.strip():
            _align(tally, number + extra, *(([line], []) if two is None else ([], [line])), first, second)
            return
    tally.aside("blank lines at the end")


def _window(start: list[str], rest: Iterator[str]) -> list[str]:
    """The next lines, few enough in number and in length to hold in memory."""
    result, length = [], 0
    for line in islice(chain(start, rest), WINDOW):
        result.append(line.rstrip(SPACE))
        length += len(line)
        if length > MAX_LINE:
            break
    return result


def _align(
    tally: Tally, number: int, ones: list[str], twos: list[str], first: Iterator[str], second: Iterator[str]
) -> None:
    """Name the differences of the next lines; at least one, as the first lines are known to differ."""
    ones, twos = _window(ones, first), _window(twos, second)
    clocks = Clocks()
    for tag, start, end, begin, stop in difflib.SequenceMatcher(None, ones, twos, False).get_opcodes():
        if tag == "equal":
            continue
        pairs = min(end - start, stop - begin)
        for offset in range(pairs):
            where = f"line {number + start + offset}"
            compare_lines(where, ones[start + offset], twos[begin + offset], tally, clocks)
        for index in range(start + pairs, end):
            tally.differ(f"line {number + index}", ones[index], "", ONLY_ORIGINAL)
        for index in range(begin + pairs, stop):
            tally.differ(f"line {number + index}", "", twos[index], ONLY_REPLAY)
    if not tally.differing:
        tally.differ(f"line {number}", ones[0] if ones else "", twos[0] if twos else "")


COMPARATOR = Comparator(name="text", priority=10, recognises=recognises, compare=compare)

"""The one sentence that says how a comparison came out."""

from __future__ import annotations

from collections import Counter

from envfreeze.compare.outputs import EXIT_STATUS, STDOUT
from envfreeze.records.comparison import Comparison, OutputComparison
from envfreeze.records.report import Report
from envfreeze.records.verdict import Verdict
from envfreeze.report._words import counted

_WORDS = {
    Verdict.IDENTICAL: "identical, bit for bit",
    Verdict.EQUIVALENT: "equivalent (listed non-results set aside)",
    Verdict.CLOSE: "close (within the tolerance)",
    Verdict.INDISTINGUISHABLE: "statistically indistinguishable",
    Verdict.SAME_CONCLUSION: "of the same conclusion",
}


def sentence(comparison: Comparison, required: Verdict) -> str:
    """How the comparison came out, measured by ``required``.

    It starts with ``Reproduced`` only when everything that counts was compared and is at least that good.
    """
    counting = [output for output in comparison.outputs if output.counts]
    if not counting:
        return "Nothing was compared: there is no output on either side."
    failing = [output for output in counting if not output.verdict.satisfies(required)]
    if not failing and comparison.verdict.satisfies(required):
        return _reproduced(counting)
    failing = failing or counting
    first = max(failing, key=lambda output: output.verdict.rank)
    more = f" (and {counted(len(failing) - 1, 'more output')})" if len(failing) > 1 else ""
    if first.verdict is Verdict.UNCOMPARED:
        return f"Not verified: {first.path} could not be compared: {first.reason}{more}"
    return f"Not reproduced{_level(first, required)}: {_what(first)}{more}"


def told(report: Report) -> tuple[str, ...]:
    """The notes that a short report has room for: not those on isolation, which are the same every time."""
    return tuple(note for note in report.notes if not note.startswith("not isolated:"))


def _level(output: OutputComparison, required: Verdict) -> str:
    """Name the level when there is agreement, just not as good as was asked for."""
    agrees = output.verdict.rank <= Verdict.SAME_CONCLUSION.rank
    return f" at level {required.value}" if agrees else ""


def _what(output: OutputComparison) -> str:
    if output.verdict is Verdict.DIFFERENT:
        return f"{output.path}: {output.reason}"
    return f"{output.path} is {output.verdict.value}: {output.reason}"


def _reproduced(counting: list[OutputComparison]) -> str:
    outputs = [output for output in counting if not _says_nothing(output)]
    failed = [
        output.reason.split()[0]
        for output in counting
        if output.path == EXIT_STATUS and not output.reason.startswith("0 ")
    ]
    note = f" The command failed both times (exit status {failed[0]})." if failed else ""
    if not outputs:
        return "Reproduced: the exit status; there was no other output to compare." + note
    counts = Counter(output.verdict for output in outputs)
    if len(counts) == 1:
        (verdict, count), *_ = counts.items()
        return f"Reproduced: {counted(count, 'output')} {_WORDS[verdict]}." + note
    parts = [f"{counts[verdict]} {_WORDS[verdict]}" for verdict in Verdict if counts[verdict]]
    return f"Reproduced: {counted(len(outputs), 'output')}, {' and '.join(parts)}." + note


def _says_nothing(output: OutputComparison) -> bool:
    """The exit status, and a standard output that is empty on both sides, are not counted as outputs."""
    empty = output.original_size == output.replay_size == 0
    return output.path == EXIT_STATUS or (output.path == STDOUT and empty)

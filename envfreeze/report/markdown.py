"""A report as Markdown, short enough for a comment on a pull request (GitHub Flavored Markdown)."""

from __future__ import annotations

import re

from envfreeze.records.report import Report
from envfreeze.records.verdict import Verdict
from envfreeze.report import Format
from envfreeze.report._sentence import told
from envfreeze.report._words import counted, printable
from envfreeze.report.html import SIGNS

MAX_ROWS = 40
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&-])")


def render(report: Report) -> str:
    """The verdict, a table of what is not identical, claims, notes, and what was not captured."""
    sign = f"{SIGNS[report.verdict]} " if report.verdict else ""
    lines = [f"**{sign}{_text(report.sentence)}**", "", _code(report.title), ""]
    rows = [output for output in report.outputs if output.verdict is not Verdict.IDENTICAL]
    if rows:
        lines += ["| verdict | output | what was found |", "| --- | --- | --- |"]
        for output in rows[:MAX_ROWS]:
            aside = "".join(f"; set aside: {item}" for item in output.set_aside if item not in output.reason)
            note = "" if output.counts else " (does not count)"
            verdict = f"{SIGNS[output.verdict]} {output.verdict.value}"
            lines.append(f"| {verdict} | {_code(output.path)} | {_text(output.reason + aside + note)} |")
        if len(rows) > MAX_ROWS:
            lines.append(f"| | | and {len(rows) - MAX_ROWS} more |")
        lines.append("")
    same = len(report.outputs) - len(rows)
    if same:
        lines += [f"{counted(same, 'output')} identical, bit for bit.", ""]
    if report.claims:
        lines += ["| claim | holds | found |", "| --- | --- | --- |"]
        for claim in report.claims:
            holds = "unknown" if claim.holds is None else "yes" if claim.holds else "no"
            lines.append(f"| {_text(claim.text or claim.id)} | {holds} | {_text(claim.reason)} |")
        lines.append("")
    if report.distributions:
        lines += ["| metric | values | original | replay |", "| --- | --- | --- | --- |"]
        for item in report.distributions:
            values = f"{min(item.values):g} to {max(item.values):g}" if item.values else "none"
            shown = ("" if value is None else f"{value:g}" for value in (item.original, item.replay))
            lines.append(f"| {_text(item.metric)} | {values} | {' | '.join(shown)} |")
        lines.append("")
    if report.tapes:
        lines += [_text(report.tapes), ""]
    if notes := told(report):
        lines += [*(f"- {_text(note)}" for note in notes), ""]
    if report.gaps:
        lines += ["Not captured at the freeze:", ""]
        lines += [f"- {_text(gap.what)}: {_text(gap.why)}" for gap in report.gaps] + [""]
    lines += [f"Again: {', '.join(_code(command) for command in report.again)}", ""] if report.again else []
    return "\n".join(lines)


def _text(text: str) -> str:
    """Text that no character of turns into markup, a link, a mention or a new cell."""
    return _SPECIAL.sub(r"\\\1", " ".join(printable(text).split()))


def _code(text: str) -> str:
    """An inline code span; its fence is longer than any in the text (CommonMark 0.31, 6.1)."""
    plain = printable(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    fence = "`" * (longest + 1)
    space = " " if plain.startswith("`") or plain.endswith("`") or not plain else ""
    return f"{fence}{space}{plain}{space}{fence}"


FORMAT = Format(name="markdown", suffixes=(".md", ".markdown"), render=render)

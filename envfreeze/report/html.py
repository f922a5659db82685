"""A report as one HTML file that needs nothing else: no network, no scripts, no fonts, no other files.

Its content security policy (https://www.w3.org/TR/CSP3/) forbids all but inline styles and ``data:`` images,
and every string is escaped, so that what a stranger's program printed cannot become markup.
"""

from __future__ import annotations

from typing import Any

from envfreeze.records.report import Curve, Fact, OutputReport, Report
from envfreeze.records.verdict import Verdict
from envfreeze.report import Format
from envfreeze.report._words import counted, printable, size
from envfreeze.resources import resource

MAX_LISTED = 500
"""Identical outputs beyond this many are counted, not listed."""

SIGNS = {
    Verdict.IDENTICAL: "✔",
    Verdict.EQUIVALENT: "✔",
    Verdict.CLOSE: "≈",
    Verdict.INDISTINGUISHABLE: "≈",
    Verdict.SAME_CONCLUSION: "≈",
    Verdict.UNCOMPARED: "?",
    Verdict.EXTRA: "+",
    Verdict.MISSING: "−",
    Verdict.DIFFERENT: "✘",
}


def render(report: Report) -> str:
    """The page; equal reports give equal text."""
    import jinja2
    from markupsafe import Markup

    from envfreeze.report._charts import curve_chart, distribution_chart

    def harmless(value: Any) -> Any:
        return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=harmless,
    )
    environment.filters |= {
        "tone": _tone,
        "sign": lambda verdict: SIGNS[verdict],
        "overall": _overall,
        "detailed": _detailed,
        "sizes": _sizes,
        "differs": _differs,
        "parting": _parting,
        # pygal writes the charts and escapes what it is given.
        "draw": lambda curve, place, index: Markup(curve_chart(curve, f"{place}-{index}")),  # noqa: S704
        "plot": lambda item, index: Markup(distribution_chart(item, f"seeds-{index}")),  # noqa: S704
    }
    table = _listed(report)
    template = environment.from_string(resource("templates/report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        report=report,
        table=table,
        left_out=len(report.outputs) - len(table),
        compared=_compared(report),
    )


def _listed(report: Report) -> list[OutputReport]:
    worth = [output for output in report.outputs if output.verdict is not Verdict.IDENTICAL]
    same = [output for output in report.outputs if output.verdict is Verdict.IDENTICAL]
    return worth + same[:MAX_LISTED]


def _tone(verdict: Verdict) -> str:
    if verdict in (Verdict.IDENTICAL, Verdict.EQUIVALENT):
        return "good"
    return "fair" if verdict.rank <= Verdict.UNCOMPARED.rank else "bad"


def _overall(report: Report) -> str:
    """The colour of the sentence: agreement below the wanted level is a failure, not a success."""
    if report.verdict is None:
        return "plain"
    return _tone(report.verdict) if report.reproduced else "bad"


def _detailed(output: OutputReport) -> bool:
    return bool(output.differences or output.pictures or output.curves)


def _sizes(output: OutputReport) -> str:
    sizes = [None if n is None else size(n) for n in (output.original_size, output.replay_size)]
    if sizes[0] == sizes[1]:
        return sizes[0] or ""
    return f"{sizes[0] or '–'} → {sizes[1] or '–'}"


def _differs(fact: Fact) -> bool:
    """Whether an eye should stop there: times always differ, and one side alone says nothing."""
    return bool(
        fact.recorded
        and fact.replay
        and not fact.same
        and fact.name in ("processor", "usable cores", "exit status")
    )


def _parting(curve: Curve) -> str:
    if curve.parting is None:
        return ": equal all along"
    step, first, second = (side[curve.parting] for side in (curve.steps, curve.original, curve.replay))
    before = "everything before is identical" if curve.parting else "they differ from the first step on"
    return f" parts at step {step:g}: {_value(first)} → {_value(second)}; {before}"


def _value(value: float | None) -> str:
    return "nothing" if value is None else repr(value)


def _compared(report: Report) -> str:
    counting = [output for output in report.outputs if output.counts]
    not_compared = [output for output in counting if output.verdict is Verdict.UNCOMPARED]
    words = f"{counted(len(counting) - len(not_compared), 'output')} compared"
    rest = f", {len(not_compared)} could not be compared" if not_compared else ""
    return f"{words}{rest}."


FORMAT = Format(name="html", suffixes=(".html", ".htm"), render=render)

"""A report as JUnit XML, which continuous integration systems show as tests: one test case an output.

Source: the schema that Jenkins reads, https://github.com/jenkinsci/xunit-plugin (junit-10.xsd).
"""

from __future__ import annotations

from xml.etree import ElementTree

from envfreeze.records.report import OutputReport, Report
from envfreeze.records.verdict import Verdict
from envfreeze.report import Format
from envfreeze.report._sentence import told
from envfreeze.report._words import printable


def render(report: Report) -> str:
    """One suite; an output below the wanted level is a failure, one that was not compared an error."""
    counting = [output for output in report.outputs if output.counts]
    suite = ElementTree.Element(
        "testsuite", name="envfreeze replay", tests=str(len(counting) + len(report.claims))
    )
    tally = {"failure": 0, "error": 0}
    for output in counting:
        case = ElementTree.SubElement(suite, "testcase", classname="output", name=printable(output.path))
        kind = _kind(output, report.required)
        if kind:
            tally[kind] += 1
            words = printable(output.reason)
            found = ElementTree.SubElement(case, kind, message=words, type=output.verdict.value)
            found.text = "\n".join(
                printable(f"{place.where}: {place.original} -> {place.replay} {place.note}")
                for place in output.differences
            )
    for claim in report.claims:
        case = ElementTree.SubElement(suite, "testcase", classname="claim", name=printable(claim.id))
        if not claim.holds:
            kind = "error" if claim.holds is None else "failure"
            tally[kind] += 1
            ElementTree.SubElement(case, kind, message=printable(claim.reason), type="claim")
    suite.set("failures", str(tally["failure"]))
    suite.set("errors", str(tally["error"]))
    ElementTree.SubElement(suite, "system-out").text = "\n".join(
        map(printable, (report.sentence, *told(report)))
    )
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _kind(output: OutputReport, required: Verdict) -> str | None:
    if output.verdict.satisfies(required):
        return None
    return "error" if output.verdict is Verdict.UNCOMPARED else "failure"


FORMAT = Format(name="junit", suffixes=(".xml",), render=render)

"""Reports as files: complete, self-contained, and harmless whatever the outputs hold."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import msgspec
import pytest

from envfreeze import reports, workflow
from envfreeze.compare import Options
from envfreeze.compare.outputs import compare_sets, side_of_folder
from envfreeze.errors import InputError
from envfreeze.records.comparison import Difference
from envfreeze.records.files import Gap
from envfreeze.records.report import ClaimReport, Distribution, Fact, OutputReport, Report
from envfreeze.records.schema import schema
from envfreeze.records.verdict import Verdict
from envfreeze.report import format_for, formats
from envfreeze.report.assemble import report_on_difference

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e'\"&{{7*7}}"


def picture(path: Path, shade: int) -> None:
    rows = b"".join(
        b"\0" + bytes(shade if 8 < x < 16 and 8 < y < 16 else 90 for x in range(32) for _ in range(3))
        for y in range(32)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs whose curve parts at step 12, with a changed picture and a hostile log line."""
    sides = tmp_path / "original", tmp_path / "replay"
    for number, side in enumerate(sides):
        side.mkdir()
        loss = [1.0 / (step + 1) - (0.01 * number if step >= 12 else 0) for step in range(30)]
        rows = "".join(f"{step},{value!r}\n" for step, value in enumerate(loss))
        (side / "curve.csv").write_text("step,loss\n" + rows)
        (side / "metrics.json").write_text(json.dumps({"accuracy": 0.9 + number / 100, "note": HOSTILE}))
        (side / "log.txt").write_text(f"{HOSTILE} {number}\n")
        (side / "same.txt").write_text("same\n")
        picture(side / "figure.png", 90 + 60 * number)
    return sides


@pytest.fixture
def report(folders: tuple[Path, Path]) -> Report:
    original, replay = folders
    comparison = compare_sets(side_of_folder(original), side_of_folder(replay), Options())
    return report_on_difference(original, replay, comparison)


class Page(HTMLParser):
    """What a browser would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_report() -> Report:
    output = OutputReport(
        path=HOSTILE,
        verdict=Verdict.DIFFERENT,
        reason=HOSTILE,
        counts=True,
        set_aside=(HOSTILE,),
        differences=(Difference(where=HOSTILE, original=HOSTILE, replay=HOSTILE, note=HOSTILE),),
    )
    return Report(
        title=HOSTILE,
        sentence=HOSTILE,
        verdict=Verdict.DIFFERENT,
        required=Verdict.EQUIVALENT,
        outputs=(output,),
        claims=(ClaimReport(id=HOSTILE, text=HOSTILE, expression=HOSTILE, holds=False, reason=HOSTILE),),
        distributions=(Distribution(metric=HOSTILE, values=(0.1, 0.2, 0.3), original=0.2, note=HOSTILE),),
        facts=(Fact(name=HOSTILE, recorded=HOSTILE, replay=HOSTILE),),
        notes=(HOSTILE,),
        gaps=(Gap(what=HOSTILE, why=HOSTILE),),
        tapes=HOSTILE,
        again=(HOSTILE,),
        made_by=HOSTILE,
    )


def test_the_page_needs_nothing_else_and_runs_nothing(report: Report) -> None:
    for made in (report, hostile_report()):
        page = Page(formats()["html"].render(made))
        assert not {"script", "iframe", "object", "embed", "link", "base", "form"} & {t for t, _ in page.tags}
        for tag, attributes in page.tags:
            assert not [name for name in attributes if name.startswith("on")], tag
            for name in ("src", "href", "xlink:href", "action"):
                assert (attributes.get(name) or "#").startswith(("#", "data:image/")), (tag, attributes)
        policies = [a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
        assert policies and (policies[0] or "").startswith("default-src 'none'")


def test_hostile_text_is_shown_as_text() -> None:
    text = formats()["html"].render(hostile_report())
    assert "\x1b" not in text and "\u202e" not in text
    assert "alert(1)" in Page(text).text and "{{7*7}}" in Page(text).text


def test_the_page_says_what_differs_and_where_curves_part(report: Report) -> None:
    page = Page(formats()["html"].render(report))
    assert report.sentence in page.text
    assert "parts at step 12" in page.text and "everything before is identical" in page.text
    pictures = [a for tag, a in page.tags if tag == "img"]
    assert [(a["alt"] or "").split(": ")[1].split(",")[0] for a in pictures] == [
        "original",
        "replay",
        "difference",
    ]
    assert any(tag == "svg" and a.get("role") == "img" and a.get("aria-label") for tag, a in page.tags)


def test_equal_reports_are_equal_text(report: Report) -> None:
    for made in formats().values():
        assert made.render(report) == made.render(report)


def test_every_difference_is_in_every_format(report: Report) -> None:
    for name, made in formats().items():
        text = made.render(report)
        for path in ("curve.csv", "metrics.json", "figure.png", "log.txt"):
            assert path in text, name


def test_notes_are_in_every_format(report: Report) -> None:
    noted = msgspec.structs.replace(
        report,
        facts=(Fact(name="GPU", recorded="H100", replay="none"),),
        notes=("this replay had no GPU", "not isolated: kernel"),
    )
    for name, made in formats().items():
        assert "this replay had no GPU" in made.render(noted), name
    for name in ("markdown", "junit"):
        assert "not isolated" not in formats()[name].render(noted)


def test_markdown_has_no_markup_from_outputs() -> None:
    text = formats()["markdown"].render(hostile_report())
    rows = [line for line in text.splitlines() if line.startswith("| ✘")]
    assert len(rows) == 1
    outside_code = re.sub(r"(`+).*?\1", "", text)
    assert not re.search(r"(?<!\\)<", outside_code)


def test_junit_counts_failures_and_errors(report: Report) -> None:
    lost = OutputReport(path="lost", verdict=Verdict.UNCOMPARED, reason="gone", counts=True)
    suite = ElementTree.fromstring(
        formats()["junit"].render(msgspec.structs.replace(report, outputs=(*report.outputs, lost)))
    )
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("6", "4", "1")
    assert {case.get("name") for case in suite.iter("testcase") if len(case)} == {
        "curve.csv", "metrics.json", "figure.png", "log.txt", "lost"
    }  # fmt: skip
    ElementTree.fromstring(formats()["junit"].render(hostile_report()))


def test_json_is_what_the_schema_says(report: Report) -> None:
    jsonschema.validate(json.loads(formats()["json"].render(report)), schema("report"))


def test_only_agreement_that_was_asked_for_is_green(report: Report) -> None:
    close = msgspec.structs.replace(report, verdict=Verdict.CLOSE)
    page = formats()["html"].render(close)
    assert 'class="verdict bad"' in page
    page = formats()["html"].render(msgspec.structs.replace(close, required=Verdict.CLOSE))
    assert 'class="verdict fair"' in page


def test_a_format_is_chosen_by_name_or_suffix() -> None:
    assert format_for(None, "x.HTML").name == "html"
    assert format_for("junit", "x.html").name == "junit"
    with pytest.raises(InputError, match="no suffix of a report"):
        format_for(None, "report.docx")


def test_many_outputs_stay_a_small_page(report: Report) -> None:
    same = OutputReport(path="x" * 60, verdict=Verdict.IDENTICAL, reason="every bit is the same", counts=True)
    large = msgspec.structs.replace(report, outputs=(*report.outputs, *[same] * 50_000))
    text = formats()["html"].render(large)
    assert len(text) < 2_000_000
    assert "identical outputs are not listed" in text


def test_diff_writes_the_report_that_its_suffix_asks_for(folders: tuple[Path, Path], tmp_path: Path) -> None:
    comparison = workflow.diff(*folders)
    path = tmp_path / "out.html"
    reports.report_difference(*folders, comparison, path, require=Verdict.EQUIVALENT)
    assert "Not reproduced" in path.read_text()
    with pytest.raises(InputError, match="does not exist"):
        reports.check_report(tmp_path / "nowhere" / "r.html")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no browser")
def test_a_browser_runs_nothing_of_a_hostile_page(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(formats()["html"].render(hostile_report()))
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
         path.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    page = Page(done.stdout)
    assert "alert(1)" in page.text
    assert "script" not in {tag for tag, _ in page.tags}


def test_a_sweep_has_distributions_and_no_verdict() -> None:
    made = Report(
        title="python train.py",
        sentence="16 runs; the original is one of them.",
        verdict=None,
        distributions=(
            Distribution(metric="m.json:acc", values=(0.1, 0.2, 0.2), original=0.15, note="Mean."),
        ),
    )
    page = Page(formats()["html"].render(made))
    assert "16 runs" in page.text and "m.json:acc" in page.text and "Verdict" not in page.text
    assert any(tag == "svg" for tag, _ in page.tags)
    assert "| m.json:acc | 0.1 to 0.2 | 0.15 |" in formats()["markdown"].render(made)
    assert not made.reproduced

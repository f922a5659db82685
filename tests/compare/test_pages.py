"""The pages of a PDF are drawn, so that the reason says how different they look."""

from __future__ import annotations

import sys
import time

import pytest

from .encoders import pdf

TEXT = ["loss 0.25", "accuracy 0.97"]


def test_where_and_how_much_the_pages_differ_is_told(judge) -> None:
    found = judge(pdf(TEXT), pdf(["loss 0.35", *TEXT[1:]]), "x.pdf")
    assert (found.comparator, found.finding.verdict) == ("pdf", "different")
    reason = found.finding.reason
    assert "page 1 loss 0.25 → loss 0.35" in reason
    assert "pixels differ" in reason and "SSIM 0.9" in reason and "within columns" in reason
    assert any(difference.where.startswith("page 1, column") for difference in found.finding.differences)


def test_pages_that_look_the_same_do_not_lift_the_verdict(judge) -> None:
    found = judge(pdf(TEXT, note="en"), pdf(TEXT, note="de"), "x.pdf").finding
    assert found.verdict == "different"
    assert "the page looks the same, pixel for pixel" in found.reason
    assert "Lang" in found.reason


def test_without_pdfium_objects_and_text_are_compared(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    monkeypatch.setattr("envfreeze.compare._worker.inside", True)
    found = judge(pdf(TEXT), pdf(TEXT[:1]), "x.pdf")
    assert (found.comparator, found.finding.verdict) == ("pdf", "different")
    assert "pypdfium2 is not installed" in found.finding.reason


def test_no_more_pages_are_drawn_than_there_is_time_for(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envfreeze.compare._worker.inside", True)
    monkeypatch.setattr("envfreeze.compare._pages.MAX_PAGES", 0)
    assert "1 more were not drawn" in judge(pdf(TEXT), pdf(TEXT[:1]), "x.pdf").finding.reason


@pytest.mark.parametrize(
    "box", ["0 0 1e9 1e9", "0 0 0 0", "5 5 -5 -5", "0 0 1e38 1e38", "0 0 (a) 7", "0 0 1e9 1"]
)
def test_a_page_of_any_size_is_bounded(judge, box: str) -> None:
    began = time.monotonic()
    found = judge(pdf(TEXT, box=box), pdf(TEXT[:1], box=box), "x.pdf").finding
    assert found.verdict == "different"
    assert "crashed" not in found.reason and "failed" not in found.reason
    assert time.monotonic() - began < 60


def test_pages_of_other_sizes_are_told(judge) -> None:
    found = judge(pdf(TEXT), pdf(TEXT, box="0 0 300 300"), "x.pdf").finding
    assert "page 1 has another size" in found.reason

"""How the pages of two PDF documents look, drawn by PDFium (https://pdfium.googlesource.com/pdfium).

Scripts and forms in a document are neither run nor drawn. What is found here is told beside the comparison of
objects and never lifts its verdict: pages that look the same may hold different things.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from envfreeze.compare import Options
from envfreeze.compare._tally import Tally
from envfreeze.compare.picture import add_pixels
from envfreeze.records.comparison import Difference

RESOLUTION = 108
"""Pixels an inch; a PDF's own unit is 1/72 inch (ISO 32000-1, 8.3.2.3)."""
MAX_PIXELS = 1 << 23
"""Of a page; larger pages are drawn at a lower resolution."""
MAX_PAGES = 50
PATIENCE = 20.0
"""Seconds after which no further page is drawn."""


class Look(NamedTuple):
    """What was seen."""

    words: str
    differences: tuple[Difference, ...] = ()


def look(original: Path, replay: Path, options: Options) -> Look:
    """In words, how the pages differ in pixels and to the eye (SSIM), page by page; never raises for what is
    in the documents."""
    try:
        import numpy  # noqa: F401 - the pixels come as its arrays
        import pypdfium2
    except ImportError:
        return Look("pages were not drawn, as pypdfium2 is not installed: pip install 'envfreeze[formats]'")
    try:
        one, two = (pypdfium2.PdfDocument(path) for path in (original, replay))
        try:
            return _compare(one, two, options)
        finally:
            one.close()
            two.close()
    except Exception as error:  # of many types; the look is only told
        return Look(f"pages could not be drawn ({type(error).__name__})")


def _compare(one: Any, two: Any, options: Options) -> Look:
    counts = len(one), len(two)
    words: list[str] = []
    differences: list[Difference] = []
    drawn = 0
    for name, first, second in _drawn(one, two, min(counts)):
        drawn += 1
        if first.shape != second.shape:
            words.append(f"{name} has another size")
            continue
        tally = Tally(options)
        add_pixels(name, first, second, tally)
        if tally.differing or tally.close:
            finding = tally.finding("")
            words.append(finding.reason)
            differences += finding.differences
    rest = min(counts) - drawn
    beyond = f"; {counts[0]} → {counts[1]} pages" if counts[0] != counts[1] else ""
    beyond += f"; {rest} more were not drawn" if rest else ""
    if not words:
        pages = "the page looks" if drawn == 1 else f"all {drawn} pages look"
        return Look(f"{pages} the same, pixel for pixel, at {RESOLUTION} dpi{beyond}")
    more = f"; {len(words) - 1} more look different" if len(words) > 1 else ""
    same = f"; {drawn - len(words)} look the same" if drawn > len(words) else ""
    return Look(f"{words[0]}{more}{same}{beyond}", tuple(differences))


def _drawn(one: Any, two: Any, count: int) -> Iterator[tuple[str, Any, Any]]:
    """Each page: its name, and its pixels on both sides."""
    end = time.monotonic() + PATIENCE
    for index in range(min(count, MAX_PAGES)):
        if index and time.monotonic() > end:
            return
        yield f"page {index + 1}", _draw(one, index), _draw(two, index)


def _draw(document: Any, index: int) -> Any:
    page = document[index]
    try:
        width, height = page.get_size()
        area = max(width * height, 1.0)
        scale = min(RESOLUTION / 72, (MAX_PIXELS / area) ** 0.5)
        bitmap = page.render(scale=scale, may_draw_forms=False)
        try:
            return bitmap.to_numpy().copy()
        finally:
            bitmap.close()
    finally:
        page.close()

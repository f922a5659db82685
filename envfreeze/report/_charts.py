"""Charts as SVG elements that stand in an HTML page and take their colours from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envfreeze.records.report import Curve, Distribution
from envfreeze.report._words import printable

if TYPE_CHECKING:
    from pygal.graph.graph import Graph

_WIDTH, _HEIGHT = 760, 260


def curve_chart(curve: Curve, identity: str) -> str:
    """Original and replay over the steps, with a mark where they part."""
    import pygal

    chart = pygal.XY(**_settings(), show_dots=len(curve.original) <= 40, dots_size=2)
    points = [
        [(step, value) for step, value in zip(curve.steps, values, strict=True) if value is not None]
        for values in (curve.original, curve.replay)
    ]
    chart.add("original", points[0])
    chart.add("replay", points[1], stroke_style={"width": 2, "dasharray": "6, 4"})
    if curve.parting is not None:
        place = curve.parting
        marked = [
            (curve.steps[place], values[place])
            for values in (curve.original, curve.replay)
            if values[place] is not None
        ]
        chart.add("they part here", marked, stroke=False, show_dots=True, dots_size=5)
    return _element(chart, identity, f"{curve.name}: original and replay over the steps")


def distribution_chart(distribution: Distribution, identity: str) -> str:
    """One dot a run, by value, with the original and the replay marked above."""
    import pygal

    chart = pygal.XY(**_settings() | {"height": 180}, stroke=False, dots_size=4, show_y_labels=False)
    chart.range = (0, 3)
    chart.add("runs of the sweep", [(value, 1) for value in distribution.values])
    if distribution.original is not None:
        chart.add("original", [(distribution.original, 2)], dots_size=6)
    if distribution.replay is not None:
        chart.add("replay", [(distribution.replay, 2)], dots_size=6)
    return _element(chart, identity, f"{distribution.metric}: values over the seeds")


def _settings() -> dict[str, Any]:
    from pygal.style import Style

    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground="var(--ink)",
        foreground_strong="var(--ink)",
        foreground_subtle="var(--line)",
        guide_stroke_color="var(--line)",
        major_guide_stroke_color="var(--line)",
        opacity="1",
        opacity_hover="1",
        transition="0s",
        colors=("var(--first)", "var(--second)", "var(--mark)"),
        font_family="inherit",
        label_font_size=12,
        major_label_font_size=12,
        legend_font_size=13,
    )
    return {
        "style": style,
        "js": [],
        "width": _WIDTH,
        "height": _HEIGHT,
        "explicit_size": False,
        "no_data_text": "no values",
        "legend_at_bottom": True,
        "legend_at_bottom_columns": 3,
        "show_x_guides": False,
        "truncate_label": -1,
    }


def _element(chart: Graph, identity: str, title: str) -> str:
    """The chart without what makes it live or dated: pygal adds scripts, and today's date in a comment."""
    from pygal.etree import etree

    chart.uuid = identity
    tree = chart.render_tree()
    for parent in list(tree.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] == "script":
                parent.remove(child)
    tree.set("role", "img")
    tree.set("aria-label", printable(title))
    text: str = etree.tostring(tree, encoding="unicode")
    return text

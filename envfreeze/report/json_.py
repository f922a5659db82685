"""A report as JSON; its schema is what ``envfreeze schema report`` prints."""

from __future__ import annotations

import json

import msgspec

from envfreeze.records.report import Report
from envfreeze.report import Format


def render(report: Report) -> str:
    """The whole record, pictures and curves included."""
    return json.dumps(msgspec.to_builtins(report), indent=2) + "\n"


FORMAT = Format(name="json", suffixes=(".json",), render=render)

"""JSON Schemas of what envfreeze writes and prints, generated from the records."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

from envfreeze.records.comparison import Comparison
from envfreeze.records.lock import Lock
from envfreeze.records.report import Report
from envfreeze.records.run import Image, Run
from envfreeze.records.sweep import Sweep, SweepComparison

SchemaName = Literal["lock", "run", "comparison", "image", "report", "sweep", "sweep-comparison"]

_RECORDS: dict[str, Any] = {
    "lock": Lock,
    "run": Run,
    "comparison": Comparison,
    "image": Image,
    "report": Report,
    "sweep": Sweep,
    "sweep-comparison": SweepComparison,
}


def schema(name: SchemaName) -> dict[str, Any]:
    """The schema of one kind of record (JSON Schema 2020-12)."""
    (reference,), components = msgspec.json.schema_components([_RECORDS[name]], ref_template="#/$defs/{name}")
    title = {"lock": "envfreeze.lock, as YAML or JSON"}.get(name, f"envfreeze {name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **reference,
        "$defs": dict(sorted(components.items())),
    }


def dumps(name: SchemaName) -> str:
    """The schema as text."""
    return json.dumps(schema(name), indent=2) + "\n"

"""Locale: how text is sorted, how numbers are written, and how bytes become characters."""

from __future__ import annotations

from envfreeze.determinism import Library, Rule
from envfreeze.records.lock import Lock


def _language(lock: Lock) -> str | None:
    recorded = lock.run.environment if lock.run else {}
    return None if any(name == "LANG" or name.startswith("LC_") for name in recorded) else "C.UTF-8"


LIBRARY = Library(
    name="locale",
    rules=(
        Rule(
            variable="LANG",
            value=_language,
            effect="A run without any locale setting had the C locale; C.UTF-8 sorts and formats as that "
            "does, and Python reads and writes UTF-8 in both (PEP 538).",
            source="https://peps.python.org/pep-0538/",
        ),
    ),
)

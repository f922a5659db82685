"""CPython: the order of sets and of everything that follows from the hash of a string."""

from __future__ import annotations

from envfreeze.determinism import Library, Rule

LIBRARY = Library(
    name="python",
    rules=(
        Rule(
            variable="PYTHONHASHSEED",
            value=lambda lock: "0",
            effect="Strings hash the same in every process, so sets of them keep their order. A run whose "
            "results did not depend on that order is not changed.",
            since="3.2.3",
            source="https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED",
        ),
    ),
)

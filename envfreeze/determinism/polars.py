"""Polars' thread pool."""

from __future__ import annotations

from envfreeze.determinism import Library, Rule
from envfreeze.determinism._threads import all_cores, one_thread, recorded_threads, usable

LIBRARY = Library(
    name="polars",
    distributions=frozenset({"polars"}),
    modules=frozenset({"polars"}),
    rules=(
        Rule(
            variable="POLARS_MAX_THREADS",
            value=lambda lock: recorded_threads(lock, "polars", usable(lock)),
            strict=all_cores,
            portable=one_thread,
            effect="Restores the recorded size of the thread pool, by which columns are split; set only "
            "where this machine has other cores than the recorded one.",
            source="https://docs.pola.rs/api/python/stable/reference/api/polars.thread_pool_size.html",
        ),
    ),
)

"""The metrics of a replay among those of the sweep of its lock, for the report."""

from __future__ import annotations

from envfreeze.compare.sides import Side
from envfreeze.errors import InputError
from envfreeze.metrics._find import find, named
from envfreeze.records.report import Distribution
from envfreeze.store import Store
from envfreeze.sweeps.describe import samples, values_of
from envfreeze.sweeps.files import of_project
from envfreeze.sweeps.judge import for_comparison

MAX_SHOWN = 12
"""Metrics with a chart of their own."""


def distributions(store: Store, lock: str, original: Side, replay: Side) -> tuple[Distribution, ...]:
    """Each metric over the seeds, with the original and the replay; empty where nothing was swept.

    Args:
        lock: digest of the lockfile that the replay was made from.
    """
    sweep = for_comparison([found for _, found in of_project(store, lock)])
    if sweep is None:
        return ()
    try:
        wanted = [named(text) for text in sweep.named]
    except InputError:  # a stranger's sweep
        return ()
    first, second = (values_of(find(side, wanted)[0]) for side in (original, replay))
    usable, _ = samples(sweep)
    return tuple(
        Distribution(
            metric=name,
            values=tuple(values),
            original=first.get(name),
            replay=second.get(name),
            note=_note(values),
        )
        for name, values in list(usable.items())[:MAX_SHOWN]
    )


def _note(values: list[float]) -> str:
    return "The same in every run." if min(values) == max(values) else f"{min(values):g} to {max(values):g}."

"""Two sweeps held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from envfreeze.errors import InputError
from envfreeze.records.sweep import Sweep, SweepComparison
from envfreeze.records.verdict import Verdict
from envfreeze.statistics import ALPHA
from envfreeze.statistics.compare import compare as compare_samples
from envfreeze.sweeps.describe import samples
from envfreeze.sweeps.files import locate


def compare(
    first: Path,
    second: Path,
    *,
    metrics: Sequence[str] = (),
    margin: float | None = None,
    alpha: float = ALPHA,
) -> SweepComparison:
    """Compare the metrics of two sweeps; failed runs are left out, and then nothing is called the same.

    Args:
        first, second: see ``files.locate``.
        metrics: only these, by name.

    Raises:
        InputError: there is no such sweep or metric.
        EnvironmentFailure: SciPy is not installed.
    """
    (folder, one), (other_folder, two) = locate(first.absolute()), locate(second.absolute())
    (values, left_out), (other_values, other_left_out) = samples(one), samples(two)
    if metrics:
        known = sorted({*values, *other_values})
        for name in metrics:
            if name not in known:
                raise InputError(
                    f"there is no metric {name!r} in these sweeps.",
                    hint=f"There are: {', '.join(known[:12])}.",
                )
        values = {name: numbers for name, numbers in values.items() if name in metrics}
        other_values = {name: numbers for name, numbers in other_values.items() if name in metrics}
    found = compare_samples(values, other_values, margin=margin, alpha=alpha)
    failed = _failed(one) + _failed(two)
    if failed and found.verdict is Verdict.INDISTINGUISHABLE:
        found = msgspec.structs.replace(
            found,
            verdict=Verdict.UNCOMPARED,
            sentence=f"Not verified: {failed} runs failed. {found.sentence}",
        )
    return msgspec.structs.replace(
        found,
        first=str(folder),
        second=str(other_folder),
        left_out=(*found.left_out, *left_out, *other_left_out) if not metrics else found.left_out,
    )


def _failed(sweep: Sweep) -> int:
    return len(sweep.runs) - len(sweep.good)

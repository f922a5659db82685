"""LightGBM: only its parameters decide, so what helps is said and not done.

Its threads are OpenMP's (``openmp.py``). Without a given seed it draws none: its own default is fixed.
"""

from __future__ import annotations

from envfreeze.determinism import Library

LIBRARY = Library(
    name="lightgbm",
    distributions=frozenset({"lightgbm"}),
    modules=frozenset({"lightgbm"}),
    advice=(
        "deterministic=True together with force_row_wise=True or force_col_wise=True, and a fixed "
        "num_threads: otherwise the layout of histograms is the one that was faster in a trial at the start "
        "(https://lightgbm.readthedocs.io/en/stable/Parameters.html#deterministic)",
    ),
    nondeterministic=(
        "training on a GPU (https://lightgbm.readthedocs.io/en/stable/FAQ.html)",
        "without force_row_wise or force_col_wise: which of the two is taken is timed "
        "(https://lightgbm.readthedocs.io/en/stable/Parameters.html#force_col_wise)",
    ),
)

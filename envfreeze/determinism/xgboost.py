"""XGBoost: its threads are OpenMP's (``openmp.py``), and its seed is 0 unless the program gives one."""

from __future__ import annotations

from envfreeze.determinism import Library

LIBRARY = Library(
    name="xgboost",
    distributions=frozenset({"xgboost", "xgboost-cpu", "py-xgboost"}),
    modules=frozenset({"xgboost"}),
    advice=(
        "the parameter nthread fixes how sums are split, also where the machine has other cores "
        "(https://xgboost.readthedocs.io/en/stable/parameter.html)",
    ),
    nondeterministic=(
        "distributed training whose partitions are not the same "
        "(https://github.com/dmlc/xgboost/issues/8701)",
        "training on a GPU before 1.1, which brought histograms by pre-rounding "
        "(https://github.com/dmlc/xgboost/commit/1065c72bb5973e97982fb0436e17ae015bd3afee)",
    ),
)

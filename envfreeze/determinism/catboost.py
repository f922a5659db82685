"""CatBoost: a fixed seed on the CPU; on a GPU no setting makes it deterministic."""

from __future__ import annotations

from envfreeze.determinism import Library

LIBRARY = Library(
    name="catboost",
    distributions=frozenset({"catboost"}),
    modules=frozenset({"catboost"}),
    advice=(
        "thread_count fixes how sums are split on the CPU "
        "(https://catboost.ai/docs/en/references/training-parameters/performance)",
    ),
    nondeterministic=(
        "training on a GPU: the order of sums changes (https://catboost.ai/docs/features/training-on-gpu)",
    ),
)

"""NumPy's legacy generator, which scikit-learn and SciPy use where no random state is given.

``numpy.random.default_rng()`` without a seed draws entropy, which the shim makes from the seed.
"""

from __future__ import annotations

from envfreeze.determinism import Call, Library

LIBRARY = Library(
    name="numpy",
    distributions=frozenset({"numpy"}),
    modules=frozenset({"numpy"}),
    calls=(
        Call(
            call="numpy.random.seed",
            value=str,
            effect="Seeds the global generator where there is no shim, which seeds all randomness.",
            source="https://numpy.org/doc/stable/reference/random/generated/numpy.random.seed.html",
        ),
    ),
)

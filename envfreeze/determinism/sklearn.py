"""scikit-learn: ``random_state=None`` draws from NumPy's global generator (``numpy.py``)."""

from __future__ import annotations

from envfreeze.determinism import Library

LIBRARY = Library(
    name="scikit-learn",
    distributions=frozenset({"scikit-learn"}),
    modules=frozenset({"sklearn"}),
    advice=(
        "with joblib's workers each process imports NumPy for itself: pass random_state where n_jobs is not "
        "1 and the estimator draws inside of the workers (https://scikit-learn.org/stable/common_pitfalls.html"
        "#controlling-randomness)",
    ),
)

"""Statistics over seeds: summaries, prediction, tests; by SciPy and statsmodels (extra ``statistics``).

Every random resampling has a fixed seed, so that the same sweeps always give the same answer.
"""

from __future__ import annotations

from types import ModuleType

from envfreeze.errors import EnvironmentFailure

ALPHA = 0.05
"""Default rate of false alarms."""
SEED = 20240229
"""Of the resampling; any number would do."""
RESAMPLES = 9999
"""Permutations and bootstrap samples: with 9,999 a p-value of 0.05 has a standard error of 0.002
(Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 4.2)."""


def scipy_stats() -> ModuleType:
    """``scipy.stats``.

    Raises:
        EnvironmentFailure: SciPy is not installed.
    """
    try:
        import scipy.stats
    except ImportError:
        raise EnvironmentFailure(
            "statistics over seeds need SciPy and statsmodels, which are not installed.",
            hint="Install them with: pip install 'envfreeze[statistics]'",
        ) from None
    module: ModuleType = scipy.stats
    return module


def available() -> bool:
    """Whether the extra is installed."""
    from importlib.util import find_spec

    return find_spec("scipy") is not None and find_spec("statsmodels") is not None

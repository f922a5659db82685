"""scikit-learn: the parameters of every estimator that is fitted.

Estimators check their parameters (``_validate_params``, since 1.2) or their data (since 0.23) as the first
thing in ``fit``, by methods of ``BaseEstimator``. The members of an ensemble are passed over, as scikit-learn
does not check these again. Parameters are the arguments of ``__init__``, kept in attributes of the same names
(scikit-learn's developer guide, "Parameters and init").
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]

_ENOUGH = 500
"""Fits of one class that are looked at."""


def watch(module: Any, recorder: Recorder) -> None:
    fits: dict[type, int] = {}

    def fitted(estimator: Any, frame: FrameType) -> None:
        kind = type(estimator)
        fits[kind] = fits.get(kind, 0) + 1
        if fits[kind] > _ENOUGH:
            return
        init = getattr(kind.__init__, "deprecated_original", kind.__init__)
        have = vars(estimator)
        values = [(name, have[name]) for name in recorder.names(init) if name in have]
        place = recorder.place(frame)
        home = str(kind.__module__).partition(".")[0]
        library = recorder.version(home, "scikit-learn" if home == "sklearn" else home)
        recorder.note(
            recorder.public_name(kind), recorder.compared(values, recorder.defaults(init), library, place)
        )

    names = ("_validate_params",)
    if not hasattr(module.BaseEstimator, "_validate_params"):
        names = ("_validate_data", "_check_n_features")  # type: ignore[assignment]
    for name in names:
        recorder.on_access(module.BaseEstimator, name, fitted)


MODULES = {"sklearn.base": watch}

"""LightGBM: the parameters of each booster that is trained, and of the scikit-learn style estimators.

``lightgbm.train`` and the estimators make a ``Booster`` and call its ``update`` once a round;
``Booster.params`` holds what it was given. Its model as text, which is short before the first round, ends
with all parameters in force.
Source: LightGBM's Python API reference; ``basic.py`` and ``sklearn.py`` of 3.3 to 4.7.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]


def boosters(module: Any, recorder: Recorder) -> None:
    told: list[int] = []

    def updated(booster: Any, frame: FrameType) -> None:
        if id(booster) in told or _is_an_estimators(frame):
            return
        told[:] = [*told[-9:], id(booster)]
        place = recorder.place(frame)
        given = {str(name): value for name, value in booster.params.items()}
        rows = [(name, value, "given", place) for name, value in given.items()]
        library = recorder.version("lightgbm")
        rest = [(name, value) for name, value in _in_force(booster) if name not in given]
        recorder.note("lightgbm.Booster", rows + [(name, value, "default", library) for name, value in rest])

    recorder.on_access(module.Booster, "update", updated)


def _in_force(booster: Any) -> Iterator[tuple[str, Any]]:
    """The lines ``[name: value]`` that end the text of a model."""
    _, _, section = booster.model_to_string().partition("\nparameters:\n")
    for line in section.partition("\nend of parameters")[0].splitlines():
        name, _, value = line.strip("[]").partition(": ")
        yield name, _plain(value)


def _plain(value: str) -> Any:
    try:
        return float(value) if set(value) & set(".e") else int(value)
    except ValueError:
        return value


def _is_an_estimators(frame: FrameType | None) -> bool:
    """True for a booster of a scikit-learn style estimator, which tells its parameters itself."""
    for _ in range(10):
        if frame is None:
            return False
        if frame.f_globals.get("__name__") == "lightgbm.sklearn":
            return True
        frame = frame.f_back
    return False


def estimators(module: Any, recorder: Recorder) -> None:
    def fitted(estimator: Any, frame: FrameType) -> None:
        have, kind = vars(estimator), type(estimator)
        init = kind.__init__
        if not recorder.defaults(init):  # a subclass that only passes on
            init = module.LGBMModel.__init__
        values = [(name, have[name]) for name in recorder.names(init) if name in have]
        values += list((have.get("_other_params") or {}).items())
        recorder.note(
            "lightgbm." + kind.__name__,
            recorder.compared(
                values, recorder.defaults(init), recorder.version("lightgbm"), recorder.place(frame)
            ),
        )

    recorder.on_access(module.LGBMModel, "fit", fitted)


MODULES = {"lightgbm.basic": boosters, "lightgbm.sklearn": estimators}

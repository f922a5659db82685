"""XGBoost: what a booster was given, its whole configuration, and the scikit-learn style estimators.

``Booster.save_config`` says every parameter in force, defaults included. It is asked in the second round,
when the booster has configured itself in any case.
Source: XGBoost's Python API reference; ``core.py`` and ``sklearn.py`` of 1.5 to 3.2.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]


def boosters(module: Any, recorder: Recorder) -> None:
    rounds: dict[int, int] = {}
    given: set[str] = set()

    def set_param(booster: Any, params: Any, value: Any = None) -> None:
        if isinstance(params, str):
            params = [(params, value)]
        pairs = (
            list(params.items()) if isinstance(params, dict) else params if isinstance(params, list) else []
        )
        place = recorder.place(sys._getframe(1))
        rows = [(str(name), item, "given", place) for name, item in pairs if item is not None]
        given.update(name for name, *_ in rows)
        recorder.note("xgboost.Booster", rows)

    def updated(booster: Any, frame: FrameType) -> None:
        key = id(booster)
        rounds[key] = rounds.get(key, 0) + 1
        if rounds[key] == 2 and len(rounds) < 100:
            configuration = sys.modules["json"].loads(booster.save_config())
            library = recorder.version("xgboost")
            rows = [
                (name, value, "default", library)
                for name, value in _leaves(configuration)
                if name not in given
            ]
            recorder.note("xgboost.Booster", rows)

    recorder.before(module.Booster, "set_param", set_param)
    recorder.on_access(module.Booster, "update", updated)


def _leaves(content: Any) -> Iterator[tuple[str, Any]]:
    """The parameters in the nested configuration: everything in a ``…_param`` section."""
    for key, value in content.items():
        if isinstance(value, dict):
            if key.endswith("_param") or key == "generic_param":
                yield from (
                    (name, _plain(item)) for name, item in value.items() if not isinstance(item, dict)
                )
            else:
                yield from _leaves(value)


def _plain(value: Any) -> Any:
    """The number that a text of the configuration is, if it is one."""
    try:
        return float(value) if set(value) & set(".e") else int(value)
    except (TypeError, ValueError):
        return value


def estimators(module: Any, recorder: Recorder) -> None:
    def fitted(estimator: Any, frame: FrameType) -> None:
        have, kind = vars(estimator), type(estimator)
        defaults: dict[str, Any] = {}
        for parent in reversed(kind.__mro__):
            if "__init__" in vars(parent):
                defaults.update(recorder.defaults(vars(parent)["__init__"]))
        values = [(name, have[name]) for name in defaults if name in have]
        values += list((have.get("kwargs") or {}).items())
        recorder.note(
            "xgboost." + kind.__name__,
            recorder.compared(values, defaults, recorder.version("xgboost"), recorder.place(frame)),
        )

    for kind in list(vars(module).values()):
        if isinstance(kind, type) and issubclass(kind, module.XGBModel) and "fit" in vars(kind):
            recorder.on_access(kind, "fit", fitted)


MODULES = {"xgboost.core": boosters, "xgboost.sklearn": estimators}

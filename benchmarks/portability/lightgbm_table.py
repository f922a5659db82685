"""LightGBM: trainings of several kinds; the model's text and its predictions."""

from __future__ import annotations

import lightgbm
import numpy as np
from table import classes, main, training

_X, _Y = classes(800)


def _model(**parameters: object) -> object:
    given = {"verbosity": -1, "seed": 1, "num_leaves": 15} | parameters
    model = lightgbm.train(given, lightgbm.Dataset(_X, _Y), 30)
    return model.model_to_string(), model.predict(_X)


@training
def lightgbm_regression() -> object:
    return _model(objective="regression")


@training
def lightgbm_multiclass() -> object:
    return _model(objective="multiclass", num_class=3)


@training
def lightgbm_bagging() -> object:
    return _model(objective="regression", bagging_fraction=0.7, bagging_freq=1, feature_fraction=0.8)


@training
def lightgbm_dart() -> object:
    return _model(objective="poisson", boosting="dart")


@training
def lightgbm_linear_trees() -> object:
    return _model(objective="regression", linear_tree=True)


if __name__ == "__main__":
    main("lightgbm", {"lightgbm": lightgbm.__version__, "numpy": np.__version__})

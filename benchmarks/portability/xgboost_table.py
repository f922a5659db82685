"""XGBoost: trainings of several kinds; the model's bytes and its predictions."""

from __future__ import annotations

import numpy as np
import xgboost
from table import classes, main, training

_X, _Y = classes(800)


def _model(**parameters: object) -> object:
    data = xgboost.DMatrix(_X, _Y)
    model = xgboost.train({"seed": 1, "max_depth": 4} | parameters, data, 20)
    return bytes(model.save_raw("json")), model.predict(data)


@training
def xgboost_regression() -> object:
    return _model(objective="reg:squarederror")


@training
def xgboost_multiclass() -> object:
    return _model(objective="multi:softprob", num_class=3)


@training
def xgboost_exact() -> object:
    return _model(objective="reg:squarederror", tree_method="exact")


@training
def xgboost_subsample() -> object:
    return _model(objective="count:poisson", subsample=0.7, colsample_bytree=0.8)


@training
def xgboost_linear() -> object:
    return _model(objective="reg:squarederror", booster="gblinear", updater="coord_descent")


@training
def xgboost_dart() -> object:
    return _model(
        objective="reg:logistic" if _Y.max() <= 1 else "reg:squarederror", booster="dart", rate_drop=0.1
    )


if __name__ == "__main__":
    main("xgboost", {"xgboost": xgboost.__version__, "numpy": np.__version__})

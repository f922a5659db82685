"""scikit-learn: trainings, and what they predict."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import scipy
import sklearn
from sklearn import (
    cluster,
    decomposition,
    discriminant_analysis,
    ensemble,
    gaussian_process,
    linear_model,
    manifold,
    metrics,
    mixture,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)  # fmt: skip
from table import OPERATIONS, classes, main, several, uniform

warnings.simplefilter("ignore")
_X, _Y = classes()


def _fitted(make: Callable[[], object]) -> Callable[[], object]:
    def train() -> object:
        model = make().fit(_X, _Y)
        ways = ("decision_function", "predict_proba", "transform", "predict", "score_samples", "embedding_")
        way = getattr(model, next(way for way in ways if hasattr(model, way)))
        return way(_X) if callable(way) else way

    return train


_MODELS: dict[str, Callable[[], object]] = {
    "random_forest": lambda: ensemble.RandomForestClassifier(30, random_state=0),
    "extra_trees": lambda: ensemble.ExtraTreesRegressor(30, random_state=0),
    "gradient_boosting": lambda: ensemble.GradientBoostingRegressor(n_estimators=30, random_state=0),
    "histogram_boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=20, random_state=0),
    "ada_boost": lambda: ensemble.AdaBoostClassifier(n_estimators=20, random_state=0),
    "isolation_forest": lambda: ensemble.IsolationForest(n_estimators=20, random_state=0),
    "decision_tree": lambda: tree.DecisionTreeClassifier(random_state=0),
    "logistic_regression": lambda: linear_model.LogisticRegression(max_iter=300),
    "logistic_regression_saga": lambda: linear_model.LogisticRegression(solver="saga", random_state=0),
    "ridge": lambda: linear_model.Ridge(),
    "lasso": lambda: linear_model.Lasso(0.01),
    "stochastic_gradient": lambda: linear_model.SGDClassifier(random_state=0),
    "bayesian_ridge": lambda: linear_model.BayesianRidge(),
    "linear_svm": lambda: svm.LinearSVC(random_state=0),
    "kernel_svm": lambda: svm.SVC(),
    "nearest_neighbours": lambda: neighbors.KNeighborsClassifier(),
    "naive_bayes": lambda: naive_bayes.GaussianNB(),
    "discriminant_analysis": lambda: discriminant_analysis.LinearDiscriminantAnalysis(),
    "gaussian_process": lambda: gaussian_process.GaussianProcessRegressor(alpha=1e-2),
    "perceptron": lambda: neural_network.MLPClassifier((32,), max_iter=30, random_state=0),
    "k_means": lambda: cluster.KMeans(4, n_init=2, random_state=0),
    "gaussian_mixture": lambda: mixture.GaussianMixture(3, random_state=0),
    "principal_components": lambda: decomposition.PCA(5),
    "truncated_svd": lambda: decomposition.TruncatedSVD(5, random_state=0),
    "independent_components": lambda: decomposition.FastICA(5, random_state=0),
    "t_sne": lambda: manifold.TSNE(max_iter=250, random_state=0),
}
OPERATIONS.update({name: ("training", _fitted(make)) for name, make in _MODELS.items()})

several(
    {
        "standard_scaler": lambda: preprocessing.StandardScaler().fit_transform(_X),
        "quantile_transformer": lambda: preprocessing.QuantileTransformer(n_quantiles=50).fit_transform(_X),
        "polynomial_features": lambda: preprocessing.PolynomialFeatures(2).fit_transform(_X),
        "pairwise_distances": lambda: metrics.pairwise_distances(_X),
        "rbf_kernel": lambda: metrics.pairwise.rbf_kernel(_X),
        "log_loss": lambda: metrics.log_loss(_Y, np.full((len(_Y), 3), 1 / 3)),
        "roc_auc": lambda: metrics.roc_auc_score(_Y > 1, uniform(len(_Y), seed=9)),
    }
)

if __name__ == "__main__":
    main(
        "scikit-learn",
        {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__},
    )

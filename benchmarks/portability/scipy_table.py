"""scipy: linear algebra, special functions, statistics, optimisation, signals, space."""

from __future__ import annotations

from functools import partial

import numpy as np
import scipy
from scipy import (
    cluster,
    fft,
    integrate,
    interpolate,
    linalg,
    ndimage,
    optimize,
    signal,
    sparse,
    spatial,
    special,
    stats,
)
from scipy.sparse import linalg as sparse_linalg
from table import classes, main, several, training, uniform

_A, _B = partial(uniform, 60, 60), partial(uniform, 60, 60, seed=2)
_X = partial(uniform, 5003, low=0.05, high=9)
_LONG = partial(uniform, 20011)


def _banded() -> sparse.csc_matrix:
    return sparse.csc_matrix(sparse.diags([-1.0, 2.5, -1.0], [-1, 0, 1], shape=(500, 500)))


several(
    {
        "expm": lambda: linalg.expm(_A() / 9),
        "lu": lambda: linalg.lu(_A()),
        "schur": lambda: linalg.schur(_A()),
        "sqrtm": lambda: linalg.sqrtm(_A() @ _A().T + np.eye(60)),
        "solve_triangular": lambda: linalg.solve_triangular(np.triu(_A()) + 9 * np.eye(60), _B()),
        "hessenberg": lambda: linalg.hessenberg(_A()),
        "sparse_product": lambda: (_banded() @ _banded()).toarray(),
        "spsolve": lambda: sparse_linalg.spsolve(_banded(), np.ones(500)),
        "eigsh": lambda: sparse_linalg.eigsh(_banded(), k=4, v0=np.ones(500)),
        "conjugate_gradient": lambda: sparse_linalg.cg(_banded(), np.ones(500))[0],
        "erf": lambda: special.erf(_X()),
        "gamma_function": lambda: special.gamma(_X()),
        "gammaln": lambda: special.gammaln(_X()),
        "bessel_j": lambda: special.jv(1.5, _X()),
        "incomplete_beta": lambda: special.betainc(2.0, 3.0, _X() / 10),
        "logsumexp": lambda: special.logsumexp(_A(), axis=1),
        "expit": lambda: special.expit(_LONG() * 20),
        "normal_distribution": lambda: stats.norm.cdf(_LONG() * 4),
        "normal_quantiles": lambda: stats.norm.ppf(_X() / 10),
        "t_test": lambda: stats.ttest_ind(_LONG(), _X()).pvalue,
        "kernel_density": lambda: stats.gaussian_kde(_LONG()[:300])(_X()[:50]),
        "gamma_fit": lambda: stats.gamma.fit(_X()[:300], floc=0),
        "bfgs": lambda: optimize.minimize(optimize.rosen, np.array([1.3, 0.7, 0.8, 1.9, 1.2])).x,
        "nelder_mead": lambda: optimize.minimize(optimize.rosen, [1.3, 0.7, 0.8], method="Nelder-Mead").x,
        "least_squares": lambda: optimize.curve_fit(
            lambda x, a, b: a * np.exp(-b * x), _X()[:99], 2 * np.exp(-_X()[:99]) + _A()[0, 0] / 9
        )[0],
        "linear_program": lambda: (
            optimize.linprog(_A()[0, :5] + 1, A_ub=-_B()[:3, :5] - 2, b_ub=[-1, -1, -1]).x
        ),
        "quadrature": lambda: integrate.quad(lambda x: np.exp(-x * x) * np.cos(x), 0, 5)[0],
        "differential_equation": lambda: (
            integrate.solve_ivp(lambda t, y: [y[1], (1 - y[0] ** 2) * y[1] - y[0]], (0, 10), [1, 0.5]).y
        ),
        "cubic_spline": lambda: interpolate.CubicSpline(np.sort(_X()[:99]), _LONG()[:99])(_X()[:500]),
        "dct": lambda: fft.dct(_LONG()[:1009]),
        "fft_f4": lambda: fft.fft(_LONG()[:4096].astype("f4")),
        "fftconvolve": lambda: signal.fftconvolve(_LONG(), _X()[:501]),
        "filtfilt": lambda: signal.filtfilt(*signal.butter(4, 0.2), _LONG()),
        "welch": lambda: signal.welch(_LONG()),
        "gaussian_filter": lambda: ndimage.gaussian_filter(_A(), 2.5),
        "zoom": lambda: ndimage.zoom(_A(), 1.7),
        "distances": lambda: spatial.distance.cdist(_A(), _B(), "cosine"),
        "nearest": lambda: spatial.KDTree(_A()[:, :3]).query(_B()[:, :3], k=3),
        "convex_hull": lambda: spatial.ConvexHull(_A()[:, :3]).volume,
        "linkage": lambda: cluster.hierarchy.linkage(_A(), "ward"),
    }
)


@training
def k_means_of_scipy() -> object:
    features, _ = classes()
    return cluster.vq.kmeans2(features, features[:4].copy(), minit="matrix")


@training
def logistic_regression_by_lbfgs() -> object:
    features, labels = classes()
    signs = np.where(labels > 1, 1.0, -1.0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margins = signs * (features @ weights)
        value = np.logaddexp(0, -margins).sum() + 0.5 * weights @ weights
        return value, weights - features.T @ (signs * special.expit(-margins))

    return optimize.minimize(loss, np.zeros(12), jac=True, method="L-BFGS-B").x


if __name__ == "__main__":
    main("scipy", {"scipy": scipy.__version__, "numpy": np.__version__})

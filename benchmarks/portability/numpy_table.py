"""numpy: ufuncs in both precisions, reductions, linear algebra, FFT, random numbers, small trainings."""

from __future__ import annotations

from functools import partial

import numpy as np
from table import classes, main, operation, several, training, uniform

_DOMAINS = {
    "exp": (-20, 20), "exp2": (-20, 20), "expm1": (-3, 3), "log": (1e-3, 50), "log2": (1e-3, 50),
    "log10": (1e-3, 50), "log1p": (-0.9, 9), "sin": (-50, 50), "cos": (-50, 50), "tan": (-50, 50),
    "arcsin": (-1, 1), "arccos": (-1, 1), "arctan": (-9, 9), "sinh": (-9, 9), "cosh": (-9, 9),
    "tanh": (-9, 9), "arcsinh": (-9, 9), "arctanh": (-1, 1), "cbrt": (-9, 9), "sqrt": (0, 9),
    "reciprocal": (1, 9),
}  # fmt: skip
for _name, (_low, _high) in _DOMAINS.items():
    for _kind in ("f8", "f4"):
        _input = partial(uniform, 10007, low=_low, high=_high, dtype=_kind)
        several({f"{_name}_{_kind}": lambda f=getattr(np, _name), x=_input: f(x())})

_A, _B = partial(uniform, 130, 130), partial(uniform, 130, 130, seed=2)
_SYMMETRIC = lambda: _A() @ _A().T + 130 * np.eye(130)  # noqa: E731
_LONG = partial(uniform, 100003)

several(
    {
        "power_f8": lambda: np.power(np.abs(_LONG()), 1.7),
        "power_f4": lambda: np.power(np.abs(_LONG()).astype("f4"), np.float32(1.7)),
        "hypot": lambda: np.hypot(_A(), _B()),
        "arctan2": lambda: np.arctan2(_A(), _B()),
        "sum_f8": lambda: np.sum(_LONG()),
        "sum_f4": lambda: np.sum(_LONG().astype("f4")),
        "mean_f2": lambda: np.mean(_LONG().astype("f2")),
        "std": lambda: np.std(_LONG()),
        "cumsum": lambda: np.cumsum(_LONG()),
        "prod": lambda: np.prod(1 + _A() / 100, axis=0),
        "complex_exp": lambda: np.exp(1j * _A()),
        "complex_product": lambda: (_A() + 1j * _B()) * (_B() - 1j * _A()),
        "dot": lambda: np.dot(_LONG(), _LONG()[::-1].copy()),
        "matmul_f8": lambda: _A() @ _B(),
        "matmul_f4": lambda: _A().astype("f4") @ _B().astype("f4"),
        "matvec": lambda: _A() @ _B()[0],
        "einsum": lambda: np.einsum("ij,jk,ki->i", _A(), _B(), _A()),
        "tensordot": lambda: np.tensordot(uniform(9, 8, 7), uniform(7, 8, 6), axes=((2, 1), (0, 1))),
        "svd": lambda: np.linalg.svd(_A()),
        "eig": lambda: np.linalg.eig(_A()),
        "eigh": lambda: np.linalg.eigh(_SYMMETRIC()),
        "qr": lambda: np.linalg.qr(_A()),
        "cholesky": lambda: np.linalg.cholesky(_SYMMETRIC()),
        "inv": lambda: np.linalg.inv(_SYMMETRIC()),
        "solve": lambda: np.linalg.solve(_SYMMETRIC(), _B()),
        "lstsq": lambda: np.linalg.lstsq(_A()[:, :40], _B()[:, 0])[0],
        "pinv": lambda: np.linalg.pinv(_A()[:, :60]),
        "determinant": lambda: np.linalg.slogdet(_A()),
        "norm": lambda: np.linalg.norm(_LONG()),
        "fft": lambda: np.fft.fft(_LONG()[:4099]),
        "rfft": lambda: np.fft.rfft(_LONG()[:8192]),
        "fft2": lambda: np.fft.fft2(_A()),
        "sort": lambda: np.sort(_LONG()),
        "argsort": lambda: np.argsort(_LONG().astype("f4")),
        "quantile": lambda: np.quantile(_LONG(), [0.1, 0.5, 0.9]),
        "histogram": lambda: np.histogram(_LONG(), bins=50),
        "convolve": lambda: np.convolve(_LONG()[:2000], _LONG()[-300:]),
        "corrcoef": lambda: np.corrcoef(_A()),
        "polyfit": lambda: np.polyfit(_A()[0], _B()[0], 5),
        "interp": lambda: np.interp(_A()[0], np.linspace(-1, 1, 50), _B()[0, :50]),
        "legacy_normal": lambda: np.random.RandomState(0).standard_normal(9999),
        "normal": lambda: np.random.default_rng(0).standard_normal(9999),
        "normal_f4": lambda: np.random.default_rng(0).standard_normal(9999, dtype="f4"),
        "exponential": lambda: np.random.default_rng(0).standard_exponential(9999),
        "gamma": lambda: np.random.default_rng(0).gamma(2.5, size=9999),
        "poisson": lambda: np.random.default_rng(0).poisson(12.5, size=9999),
        "multivariate_normal": lambda: np.random.default_rng(0).multivariate_normal(
            np.zeros(5), _SYMMETRIC()[:5, :5], size=99
        ),
        "permutation": lambda: np.random.default_rng(0).permutation(9999),
    }
)


@operation
def shim_functions() -> object:
    """The ufuncs above at the edges of their domains."""
    edges = np.array([0.0, -0.0, 1.0, -1.0, 5e-324, 1e-310, 1e308, np.inf, -np.inf, np.nan])
    with np.errstate(all="ignore"):
        return [getattr(np, name)(edges) for name in _DOMAINS]


@training
def linear_regression_by_gradient_descent() -> object:
    features, labels = classes()
    weights = np.zeros(features.shape[1])
    for _ in range(200):
        weights -= 0.05 * features.T @ (features @ weights - labels) / len(labels)
    return weights


@training
def perceptron_with_tanh_and_softmax() -> object:
    features, labels = classes()
    first, second = uniform(12, 32, seed=5) / 3, uniform(32, 3, seed=6) / 3
    targets = np.eye(3)[labels]
    for _ in range(100):
        hidden = np.tanh(features @ first)
        scores = hidden @ second
        chances = np.exp(scores - scores.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        error = (chances - targets) / len(labels)
        back = (error @ second.T) * (1 - hidden**2)
        second -= 0.5 * hidden.T @ error
        first -= 0.5 * features.T @ back
    return first, second


if __name__ == "__main__":
    main("numpy", {"numpy": np.__version__})

"""JAX on the CPU, which compiles for the processor it runs on."""

from __future__ import annotations

import jax
import jaxlib
import numpy as np
import optax
from flax import linen
from jax import numpy as jnp
from table import classes, main, several, training, uniform

_DOMAINS = {
    "exp": (-20, 20), "log": (1e-3, 50), "log1p": (-0.9, 9), "sin": (-50, 50), "cos": (-50, 50),
    "tan": (-50, 50), "arcsin": (-1, 1), "arctan": (-9, 9), "tanh": (-9, 9), "sqrt": (0, 9), "cbrt": (-9, 9),
}  # fmt: skip
for _name, (_low, _high) in _DOMAINS.items():
    several(
        {
            _name: lambda f=getattr(jnp, _name), lo=_low, hi=_high: jax.jit(f)(
                uniform(10007, low=lo, high=hi, dtype="f4")
            )
        }
    )


def _f(*shape: int, seed: int = 1) -> np.ndarray:
    return uniform(*shape, seed=seed, dtype="f4")


several(
    {
        "rsqrt": lambda: jax.jit(jax.lax.rsqrt)(np.abs(_f(10007)) + 0.1),
        "reciprocal": lambda: jax.jit(lambda x: 1 / x)(np.abs(_f(10007)) + 0.1),
        "matmul": lambda: jax.jit(jnp.matmul)(_f(90, 90), _f(90, 90, seed=2)),
        "sum": lambda: jax.jit(jnp.sum)(_f(100003)),
        "softmax": lambda: jax.jit(jax.nn.softmax)(_f(90, 90)),
        "gelu": lambda: jax.jit(jax.nn.gelu)(_f(90, 90)),
        "normal": lambda: jax.random.normal(jax.random.key(0), (10007,)),
        "svd": lambda: list(jnp.linalg.svd(_f(40, 40))),
        "cholesky": lambda: jnp.linalg.cholesky(_f(40, 40) @ _f(40, 40).T + 40 * np.eye(40, dtype="f4")),
        "fft": lambda: jnp.fft.fft(_f(4096)),
        "convolution": lambda: jax.lax.conv(_f(2, 3, 16, 16), _f(8, 3, 3, 3), (1, 1), "SAME"),
        "gradient": lambda: jax.grad(lambda w: jnp.tanh(_f(50, 20) @ w).sum())(_f(20)),
    }
)


@training
def flax_perceptron() -> object:
    features, labels = classes()
    features = features.astype("f4")
    model = linen.Sequential([linen.Dense(32), linen.relu, linen.Dense(3)])
    weights = model.init(jax.random.key(0), features)
    optimizer = optax.adam(0.01)
    state = optimizer.init(weights)

    @jax.jit
    def step(weights, state):  # type: ignore[no-untyped-def]
        def loss(w):  # type: ignore[no-untyped-def]
            return optax.softmax_cross_entropy_with_integer_labels(model.apply(w, features), labels).mean()

        changes, state = optimizer.update(jax.grad(loss)(weights), state)
        return optax.apply_updates(weights, changes), state

    for _ in range(20):
        weights, state = step(weights, state)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(weights)]


if __name__ == "__main__":
    main("jax", {"jax": jax.__version__, "jaxlib": jaxlib.__version__, "numpy": np.__version__})

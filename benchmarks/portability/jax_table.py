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


def _half(*shape: int) -> jax.Array:
    return jnp.asarray(_f(*shape)).astype(jnp.bfloat16)


def _in_double_precision() -> object:
    with jax.enable_x64(True):
        a = uniform(90, 90)
        found = jax.jit(lambda x: (x @ x.T, jax.lax.rsqrt(jnp.abs(x) + 0.1), jnp.exp(x), x.sum()))(a)
        return [np.asarray(part) for part in found]


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
        "matmul_large": lambda: jax.jit(jnp.matmul)(_f(400, 300), _f(300, 350, seed=2)),
        "matmul_long": lambda: jax.jit(jnp.matmul)(_f(3, 5003), _f(5003, 4, seed=2)),
        "matmul_batched": lambda: jax.jit(jnp.matmul)(_f(5, 20, 30), _f(5, 30, 10, seed=2)),
        "matmul_bf16": lambda: jax.jit(jnp.matmul)(_half(90, 90), _half(90, 90)).astype("f4"),
        "matmul_vector": lambda: jax.jit(jnp.matmul)(_f(90, 90), _f(90, seed=2)),
        "outer_then_sum": lambda: jax.jit(lambda a, b: (jnp.exp(a) @ b).sum(0))(_f(90, 70), _f(70, 50)),
        "in_double_precision": _in_double_precision,
        "power": lambda: jax.jit(lambda x: jnp.abs(x) ** 1.7)(_f(10007)),
        "erf": lambda: jax.jit(jax.scipy.special.erf)(_f(10007)),
        "lgamma": lambda: jax.jit(jax.lax.lgamma)(np.abs(_f(10007)) * 20),
        "logsumexp": lambda: jax.jit(jax.nn.logsumexp)(_f(90, 90)),
        "cumsum": lambda: jax.jit(jnp.cumsum)(_f(10007)),
        "mean_and_variance": lambda: jax.jit(lambda x: (x.mean(0), x.var(1)))(_f(120, 130)),
        "layer_norm": lambda: jax.jit(jax.nn.standardize)(_f(90, 90)),
        "attention": lambda: jax.jit(jax.nn.dot_product_attention)(
            *(_f(2, 20, 4, 16, seed=n) for n in (1, 2, 3))
        ),
        "scan": lambda: jax.lax.scan(lambda c, x: (jnp.tanh(c * 0.9 + x), c), _f(30), _f(40, 30))[0],
        "convolution_gradient": lambda: jax.grad(
            lambda w: (jax.lax.conv(_f(4, 3, 20, 20), w, (1, 1), "SAME") ** 2).sum()
        )(_f(8, 3, 3, 3)),
        "qr": lambda: list(jnp.linalg.qr(_f(40, 40))),
        "solve": lambda: jnp.linalg.solve(_f(40, 40), _f(40, 3)),
        "eigh": lambda: list(jnp.linalg.eigh(_f(40, 40) + _f(40, 40).T)),
        "gamma": lambda: jax.random.gamma(jax.random.key(0), 2.5, (3001,)),
    }
)


def _trained(model: linen.Module, *shape: int) -> object:
    features, labels = classes()
    features = features.astype("f4").reshape(-1, *shape)
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


@training
def flax_perceptron() -> object:
    return _trained(linen.Sequential([linen.Dense(32), linen.relu, linen.Dense(3)]), 12)


@training
def flax_convolutional() -> object:
    layers = [linen.Conv(6, (3,)), linen.relu, linen.LayerNorm(), lambda x: x.reshape(len(x), -1)]
    return _trained(linen.Sequential([*layers, linen.Dense(3)]), 12, 1)


@training
def flax_attention() -> object:
    layers = [linen.MultiHeadDotProductAttention(2, qkv_features=8), lambda x: x.mean(1)]
    return _trained(linen.Sequential([*layers, linen.Dense(3)]), 3, 4)


if __name__ == "__main__":
    main("jax", {"jax": jax.__version__, "jaxlib": jaxlib.__version__, "numpy": np.__version__})

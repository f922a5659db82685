"""TensorFlow on the CPU, with and without compilation by XLA, and Keras trainings."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from table import classes, main, several, training, uniform

_DOMAINS = {
    "exp": (-20, 20), "log": (1e-3, 50), "log1p": (-0.9, 9), "sin": (-50, 50), "cos": (-50, 50),
    "tan": (-50, 50),
    "asin": (-1, 1), "atan": (-9, 9), "tanh": (-9, 9), "sqrt": (0, 9), "sigmoid": (-9, 9), "erf": (-4, 4),
}  # fmt: skip
for _name, (_low, _high) in _DOMAINS.items():
    several(
        {
            _name: lambda f=getattr(tf.math, _name), lo=_low, hi=_high: f(
                uniform(10007, low=lo, high=hi, dtype="f4")
            ).numpy()
        }
    )


def _f(*shape: int, seed: int = 1) -> np.ndarray:
    return uniform(*shape, seed=seed, dtype="f4")


several(
    {
        "rsqrt": lambda: tf.math.rsqrt(np.abs(_f(10007)) + 0.1).numpy(),
        "reciprocal": lambda: tf.math.reciprocal(np.abs(_f(10007)) + 0.1).numpy(),
        "matmul": lambda: tf.matmul(_f(90, 90), _f(90, 90, seed=2)).numpy(),
        "sum": lambda: tf.reduce_sum(_f(100003)).numpy(),
        "softmax": lambda: tf.nn.softmax(_f(90, 90)).numpy(),
        "conv2d": lambda: tf.nn.conv2d(_f(2, 16, 16, 3), _f(3, 3, 3, 8), 1, "SAME").numpy(),
        "normal": lambda: tf.random.stateless_normal((10007,), (1, 2)).numpy(),
        "svd": lambda: [part.numpy() for part in tf.linalg.svd(_f(40, 40))],
        "xla_tanh": lambda: tf.function(lambda x: tf.tanh(x) * 2, jit_compile=True)(_f(1009)).numpy(),
    }
)


def _trained(*layers: tf.keras.layers.Layer, shape: tuple[int, ...] = (12,)) -> object:
    tf.keras.utils.set_random_seed(0)
    features, labels = classes()
    features = features.astype("f4").reshape(-1, *shape)
    model = tf.keras.Sequential([tf.keras.Input(shape), *layers, tf.keras.layers.Dense(3)])
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(features, labels, epochs=2, batch_size=64, verbose=0)
    return model.get_weights()


@training
def keras_perceptron() -> object:
    tf.keras.utils.set_random_seed(0)
    return _trained(tf.keras.layers.Dense(32, "relu"), tf.keras.layers.Dropout(0.2))


@training
def keras_lstm() -> object:
    tf.keras.utils.set_random_seed(0)
    return _trained(tf.keras.layers.LSTM(12), shape=(4, 3))


if __name__ == "__main__":
    main("tensorflow", {"tensorflow": tf.__version__, "numpy": np.__version__})

"""TensorFlow on the CPU, with and without compilation by XLA, and Keras trainings."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from table import classes, main, several, training, uniform

_DOMAINS = {
    "exp": (-20, 20), "log": (1e-3, 50), "log1p": (-0.9, 9), "sin": (-50, 50), "cos": (-50, 50),
    "tan": (-50, 50),
    "asin": (-1, 1), "atan": (-9, 9), "tanh": (-9, 9), "sqrt": (0, 9), "sigmoid": (-9, 9), "erf": (-4, 4),
    "erfc": (-4, 4), "lgamma": (0.1, 9), "softplus": (-9, 9), "sinh": (-9, 9),
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


def _compiled(function: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[], object]:
    return lambda: tf.function(function, jit_compile=True)(_f(70, 143)).numpy()


def _layer(make: Callable[[], keras.Layer], *shape: int) -> Callable[[], object]:
    """Output of a layer, and the gradients of its inputs and weights."""

    def run() -> object:
        keras.utils.set_random_seed(0)
        layer, given = make(), tf.constant(_f(*shape))
        with tf.GradientTape() as tape:
            tape.watch(given)
            out = layer(given, training=True)
            loss = tf.reduce_sum(out * out)
        gradients = tape.gradient(loss, [given, *layer.trainable_variables])
        return [out.numpy(), *(part.numpy() for part in gradients)]

    return run


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
        "log_softmax": lambda: tf.nn.log_softmax(_f(90, 90)).numpy(),
        "gelu": lambda: tf.nn.gelu(_f(90, 90)).numpy(),
        "power": lambda: tf.pow(tf.abs(_f(10007)), 1.7).numpy(),
        "l2_normalize": lambda: tf.math.l2_normalize(_f(90, 90), 1).numpy(),
        "mean_and_variance": lambda: [part.numpy() for part in tf.nn.moments(_f(90, 90), 0)],
        "matmul_large": lambda: tf.matmul(_f(400, 300), _f(300, 350, seed=2)).numpy(),
        "matmul_batched": lambda: tf.matmul(_f(5, 20, 30), _f(5, 30, 10)).numpy(),
        "matmul_double": lambda: tf.matmul(uniform(90, 90), uniform(90, 90)).numpy(),
        "cross_entropy": lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(
            np.arange(90) % 9, _f(90, 9)
        ).numpy(),
        "average_pool": lambda: tf.nn.avg_pool2d(_f(2, 16, 16, 3), 3, 2, "SAME").numpy(),
        "depthwise": lambda: tf.nn.depthwise_conv2d(
            _f(2, 16, 16, 3), _f(3, 3, 3, 2), [1] * 4, "SAME"
        ).numpy(),
        "resize": lambda: tf.image.resize(_f(2, 9, 9, 3), (20, 21), "bicubic").numpy(),
        "fft": lambda: tf.signal.rfft(_f(4096)).numpy(),
        "cholesky": lambda: tf.linalg.cholesky(
            _f(40, 40) @ _f(40, 40).T + 40 * np.eye(40, dtype="f4")
        ).numpy(),
        "solve": lambda: tf.linalg.solve(_f(40, 40), _f(40, 3)).numpy(),
        "truncated_normal": lambda: tf.random.stateless_truncated_normal((10007,), (1, 2)).numpy(),
        "batch_norm": _layer(lambda: keras.layers.BatchNormalization(), 20, 9),
        "layer_norm": _layer(lambda: keras.layers.LayerNormalization(), 20, 9),
        "lstm": _layer(lambda: keras.layers.LSTM(6), 5, 8, 9),
        "gru": _layer(lambda: keras.layers.GRU(6), 5, 8, 9),
        "convolution": _layer(lambda: keras.layers.Conv2D(6, 3), 2, 9, 9, 3),
        "xla_tanh": _compiled(lambda x: tf.tanh(x) * 2),
        "xla_matmul": _compiled(lambda x: tf.matmul(x, x, transpose_b=True)),
        "xla_softmax": _compiled(tf.nn.softmax),
        "xla_rsqrt": _compiled(lambda x: tf.math.rsqrt(tf.abs(x) + 0.1)),
    }
)


def _trained(*layers: keras.Layer, shape: tuple[int, ...] = (12,), optimizer: str = "adam") -> object:
    keras.utils.set_random_seed(0)
    features, labels = classes()
    features = features.astype("f4").reshape(-1, *shape)
    model = keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(3)])
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(features, labels, epochs=2, batch_size=64, verbose=0)
    return model.get_weights()


@training
def keras_perceptron() -> object:
    keras.utils.set_random_seed(0)
    return _trained(keras.layers.Dense(32, "relu"), keras.layers.Dropout(0.2))


@training
def keras_lstm() -> object:
    keras.utils.set_random_seed(0)
    return _trained(keras.layers.LSTM(12), shape=(4, 3))


@training
def keras_convolutional() -> object:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv1D(6, 3, activation="relu"), keras.layers.BatchNormalization()]
    return _trained(*layers, keras.layers.Flatten(), shape=(12, 1), optimizer="rmsprop")


@training
def keras_attention() -> object:
    keras.utils.set_random_seed(0)
    given = keras.Input((4, 3))
    mixed = keras.layers.LayerNormalization()(keras.layers.MultiHeadAttention(2, 4)(given, given) + given)
    inner = keras.Model(given, keras.layers.GlobalAveragePooling1D()(mixed))
    return _trained(inner, shape=(4, 3), optimizer="adamw")


if __name__ == "__main__":
    main("tensorflow", {"tensorflow": tf.__version__, "numpy": np.__version__})

"""Speeds of typical work with one library: rounds of each, a JSON object with their seconds a line.

    python speed.py LIBRARY

Processor time, which other work on the machine disturbs less than the clock; with one thread they agree on a
quiet machine. The first round, in which programs are compiled and memory is asked for, does not count.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from table import classes, uniform

ROUNDS = 4
Work = dict[str, Callable[[], Any]]


def numpy() -> Work:
    square, long = uniform(800, 800), uniform(1_000_000, low=0.1, high=9)
    return {
        "matrix product": lambda: square @ square,
        "SVD": lambda: np.linalg.svd(square[:250, :250]),
        "exp, log, power of double precision": lambda: (np.exp(long), np.log(long), long**1.7),
        "exp, log of single precision": lambda: (np.exp(long.astype("f4")), np.log(long.astype("f4"))),
        "sums": lambda: [long.sum() for _ in range(50)],
    }


def sklearn() -> Work:
    from sklearn import cluster, ensemble, linear_model, svm

    x, y = classes(3000, 20)
    return {
        "random forest": lambda: ensemble.RandomForestClassifier(30, random_state=0).fit(x, y),
        "logistic regression": lambda: linear_model.LogisticRegression(max_iter=300).fit(x, y),
        "k-means": lambda: cluster.KMeans(20, n_init=3, random_state=0).fit(x),
        "support vectors": lambda: svm.SVC().fit(x[:1000], y[:1000]),
    }


def lightgbm() -> Work:
    import lightgbm

    x, y = classes(20000, 20)
    given = {"verbosity": -1, "seed": 1, "objective": "regression"}
    return {"50 trees": lambda: lightgbm.train(given, lightgbm.Dataset(x, y), 50)}


def xgboost() -> Work:
    import xgboost

    x, y = classes(20000, 20)
    return {"50 trees": lambda: xgboost.train({"seed": 1}, xgboost.DMatrix(x, y), 50)}


def torch() -> Work:
    import torch
    from torch import nn

    def training(model: nn.Module, steps: int, *shape: int) -> Callable[[], object]:
        x = torch.from_numpy(uniform(*shape, dtype="f4"))
        optimizer = torch.optim.Adam(model.parameters())

        def run() -> None:
            for _ in range(steps):
                found = model(x)
                out = found[0] if isinstance(found, tuple) else found
                optimizer.zero_grad()
                (out * out).mean().backward()
                optimizer.step()

        return run

    convolutions = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 64, 1),
    )  # fmt: skip
    perceptron = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 10))
    return {
        "perceptron": training(perceptron, 20, 256, 784),
        "convolutional network": training(convolutions, 4, 32, 3, 32, 32),
        "LSTM": training(nn.LSTM(64, 128), 4, 50, 32, 64),
        "transformer layer": training(nn.TransformerEncoderLayer(128, 8, 256), 4, 64, 32, 128),
    }


def jax() -> Work:
    import jax
    from jax import lax
    from jax import numpy as jnp

    def training(forward: Callable[..., Any], steps: int, x: np.ndarray, *weights: np.ndarray) -> Any:
        @jax.jit
        def step(weights: Any) -> Any:
            slopes = jax.grad(lambda w: (forward(x, *w) ** 2).mean())(weights)
            return [w - 0.1 * slope for w, slope in zip(weights, slopes, strict=True)]

        def run() -> None:
            found = list(weights)
            for _ in range(steps):
                found = step(found)
            jax.block_until_ready(found)

        return run

    def perceptron(x: Any, first: Any, second: Any) -> Any:
        return jax.nn.relu(x @ first) @ second

    def normalised(x: Any, weights: Any) -> Any:
        found = x @ weights
        return (found - found.mean(1, keepdims=True)) * lax.rsqrt(found.var(1, keepdims=True) + 1e-5)

    def convolution(x: Any, weights: Any) -> Any:
        return jnp.tanh(lax.conv(x, weights, (1, 1), "SAME"))

    def f(*shape: int) -> np.ndarray:
        return uniform(*shape, dtype="f4") / 10

    return {
        "perceptron": training(perceptron, 20, f(256, 784), f(784, 512), f(512, 10)),
        "product and normalisation": training(normalised, 20, f(512, 256), f(256, 256)),
        "convolution": training(convolution, 4, f(16, 3, 32, 32), f(32, 3, 3, 3)),
    }


def tensorflow() -> Work:
    import tensorflow as tf

    layers = tf.keras.layers

    def training(model: Any, steps: int, *shape: int) -> Callable[[], object]:
        x = tf.constant(uniform(*shape, dtype="f4"))
        optimizer = tf.keras.optimizers.Adam()

        @tf.function
        def step() -> None:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(model(x, training=True) ** 2)
            variables = model.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        return lambda: [step() for _ in range(steps)]

    convolutions = [layers.Conv2D(32, 3, activation="relu"), layers.BatchNormalization()]
    attention = layers.MultiHeadAttention(4, 16)
    given = tf.keras.Input((64, 64))
    attending = tf.keras.Model(given, layers.LayerNormalization()(attention(given, given) + given))
    softmax = tf.constant(uniform(1000, 1000, dtype="f4"))
    return {
        "perceptron": training(
            tf.keras.Sequential([layers.Dense(512, "relu"), layers.Dense(10)]), 20, 256, 784
        ),
        "convolutional network": training(tf.keras.Sequential(convolutions), 4, 16, 32, 32, 3),
        "LSTM": training(tf.keras.Sequential([layers.LSTM(64)]), 2, 16, 30, 32),
        "attention": training(attending, 4, 16, 64, 64),
        "softmax, reciprocals, arc tangents": lambda: (
            tf.nn.softmax(softmax), tf.math.reciprocal(softmax), tf.math.rsqrt(softmax), tf.atan(softmax)
        ),
    }  # fmt: skip


LIBRARIES: dict[str, Callable[[], Work]] = {
    function.__name__: function for function in (numpy, sklearn, lightgbm, xgboost, torch, jax, tensorflow)
}


def main() -> None:
    for name, function in LIBRARIES[sys.argv[1]]().items():
        for round_ in range(ROUNDS):
            began = time.process_time()
            function()
            took = time.process_time() - began
            if round_:
                print(json.dumps({"work": name, "seconds": round(took, 5)}), flush=True)


if __name__ == "__main__":
    main()

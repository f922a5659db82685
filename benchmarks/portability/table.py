"""What the tables of operations share: registration, digests, and the loop that prints a JSON object a line.

A table runs as a script of its own, in the interpreter under test, so that one process holds one library: a
mix of them crashed the emulator. Only numpy is needed beside the library itself. Inputs come from uniform
draws of the Mersenne Twister, which are exact arithmetic, so that no input depends on the processor.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

OPERATIONS: dict[str, tuple[str, Callable[[], Any]]] = {}


def operation(function: Callable[[], Any]) -> Callable[[], Any]:
    """Register a function whose result is compared, under its own name."""
    OPERATIONS[function.__name__] = "operation", function
    return function


def training(function: Callable[[], Any]) -> Callable[[], Any]:
    """The same, for the training of a model."""
    OPERATIONS[function.__name__] = "training", function
    return function


def several(functions: dict[str, Callable[[], Any]]) -> None:
    """Register short operations by name."""
    OPERATIONS.update({name: ("operation", function) for name, function in functions.items()})


def uniform(
    *shape: int, low: float = -1.0, high: float = 1.0, seed: int = 1, dtype: str = "f8"
) -> np.ndarray:
    """Uniform numbers, the same on every machine."""
    drawn = np.random.RandomState(seed).random_sample(shape)
    return np.ascontiguousarray((drawn * (high - low) + low).astype(dtype))


def classes(rows: int = 400, columns: int = 12, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A small classification problem: features, and labels 0, 1, 2."""
    features = uniform(rows, columns, seed=seed)
    score = features[:, 0] + features[:, 1] * features[:, 2] - 0.5 * features[:, 3]
    return features, np.digitize(score, [-0.3, 0.3])


def digest(value: Any) -> str:
    """SHA-256 of everything in the value: types, shapes and bytes."""
    state = hashlib.sha256()
    _add(state, value)
    return state.hexdigest()


def _add(state: Any, value: Any) -> None:
    if isinstance(value, tuple | list):
        state.update(b"(%d" % len(value))
        for part in value:
            _add(state, part)
    elif isinstance(value, dict):
        _add(state, sorted(value.items()))
    elif isinstance(value, str | bytes):
        state.update(value.encode() if isinstance(value, str) else value)
    else:
        if hasattr(value, "detach"):
            value = value.detach().cpu()
            value = value.float() if str(value.dtype) == "torch.bfloat16" else value
        array = np.ascontiguousarray(np.asarray(value))
        state.update(f"{array.dtype.str}{array.shape}".encode())
        state.update(array.tobytes())


def main(library: str, versions: dict[str, str]) -> None:
    """Print the versions, then each operation's digest and seconds; names given as arguments are left out."""
    left_out = set(sys.argv[1:])
    print(json.dumps({"library": library, "versions": versions}), flush=True)
    for name, (kind, function) in OPERATIONS.items():
        if name in left_out:
            continue
        print(json.dumps({"begins": name, "kind": kind}), flush=True)
        began = time.perf_counter()
        found = digest(function())
        took = time.perf_counter() - began
        print(json.dumps({"name": name, "digest": found, "seconds": round(took, 5)}), flush=True)
    print(json.dumps({"ends": library}), flush=True)

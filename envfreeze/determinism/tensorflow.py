"""TensorFlow.

``TF_DETERMINISTIC_OPS`` stays as recorded: since TensorFlow 2.8 it turns on op determinism, with which a
program that set no seed, or uses an operation without a deterministic form, ends in an error and no result.
``TF_ENABLE_ONEDNN_OPTS`` stays as recorded: it picks other kernels.
"""

from __future__ import annotations

from envfreeze.determinism import Library, Rule
from envfreeze.determinism._threads import has_gpu, recorded_threads, usable

_THREADS = (
    "https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/common_runtime/process_util.cc"
)

LIBRARY = Library(
    name="tensorflow",
    distributions=frozenset({"tensorflow", "tensorflow-cpu", "tensorflow-intel"}),
    rules=(
        Rule(
            variable="TF_CUDNN_DETERMINISTIC",
            value=lambda lock: "1" if has_gpu(lock) else None,
            effect="Convolutions and max-pooling use only deterministic cuDNN algorithms, instead of the one "
            "that happened to be the fastest in this run.",
            since="1.14",
            cost="Convolutions can be slower.",
            source="https://github.com/NVIDIA/framework-reproducibility/blob/master/doc/d9m/tensorflow.md",
        ),
        Rule(
            variable="TF_NUM_INTRAOP_THREADS",
            value=lambda lock: recorded_threads(lock, "tensorflow", usable(lock)),
            effect="Restores the number of threads within an operation (by default one a core); set only "
            "where this machine has other cores than the recorded one.",
            source=_THREADS,
        ),
    ),
)

"""TensorFlow.

``TF_DETERMINISTIC_OPS`` stays as recorded: since TensorFlow 2.8 it turns on op determinism, with which a
program that set no seed, or uses an operation without a deterministic form, ends in an error and no result.
``TF_ENABLE_ONEDNN_OPTS`` stays as recorded: it picks other kernels.
"""

from __future__ import annotations

from envfreeze.determinism import Call, Library, Rule
from envfreeze.determinism._threads import all_cores, has_gpu, recorded_threads, usable

_THREADS = (
    "https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/common_runtime/process_util.cc"
)

LIBRARY = Library(
    name="tensorflow",
    distributions=frozenset({"tensorflow", "tensorflow-cpu", "tensorflow-intel"}),
    modules=frozenset({"tensorflow"}),
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
            strict=all_cores,
            effect="Restores the number of threads within an operation (by default one a core); set only "
            "where this machine has other cores than the recorded one.",
            source=_THREADS,
        ),
    ),
    calls=(
        Call(
            call="tensorflow.random.set_seed",
            value=str,
            effect="Sets the global seed, which op determinism asks for.",
            since="2.0",
            source="https://www.tensorflow.org/api_docs/python/tf/random/set_seed",
        ),
        Call(
            call="tensorflow.config.experimental.enable_op_determinism",
            value=lambda seed: "true",
            effect="Every operation gives the same result on the same inputs; one without a deterministic "
            "form raises an error.",
            since="2.8",
            cost="Slower: tf.data runs without parallelism where that would change an order.",
            source="https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism",
        ),
    ),
    nondeterministic=(
        "without op determinism, on a GPU: softmax_cross_entropy_with_logits, sparse_softmax_cross_entropy, "
        "segment_sum, unsorted_segment_sum and their kin, sparse_dense_matmul, gradients of image.resize, "
        "image.crop_and_resize, gather and of fused_batch_norm with respect to the offset "
        "(https://github.com/tensorflow/community/blob/master/rfcs/20210119-determinism.md)",
    ),
)

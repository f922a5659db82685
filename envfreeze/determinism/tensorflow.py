"""TensorFlow.

``TF_DETERMINISTIC_OPS`` stays as recorded: since TensorFlow 2.8 it turns on op determinism, with which a
program that set no seed, or uses an operation without a deterministic form, ends in an error and no result.
``TF_ENABLE_ONEDNN_OPTS`` stays as recorded: it picks other kernels.
"""

from __future__ import annotations

from envfreeze.determinism import PORTABLE, Call, Library, Rule
from envfreeze.determinism._threads import all_cores, has_gpu, one_thread, recorded_threads, usable
from envfreeze.determinism._xla import xla_calls

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
            portable=one_thread,
            effect="Restores the number of threads within an operation (by default one a core); set only "
            "where this machine has other cores than the recorded one.",
            source=_THREADS,
        ),
        Rule(
            variable="TF_NUM_INTEROP_THREADS",
            value=one_thread,
            profiles=PORTABLE,
            effect="Runs operations one after the other, on any number of cores.",
            source=_THREADS,
        ),
        Rule(
            variable="TF_ENABLE_ONEDNN_OPTS",
            value=lambda lock: "0",
            profiles=PORTABLE,
            effect="Leaves out oneDNN, whose kernels and order of sums depend on the processor.",
            since="2.5",
            cost="Convolutions and products can be slower.",
            source="https://www.tensorflow.org/install/pip",
        ),
    ),
    not_portable=(
        "reciprocal square roots in what XLA compiles (jit_compile=True), inference with fused batch "
        "normalisation, updates of Adagrad, Adadelta and RMSProp outside Keras 3, atan2, erfinv, ndtri, "
        "Bessel functions, local response normalisation and complex logarithms were measured to differ",
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
        *xla_calls("tensorflow", isa_since="2.19", math_since="2.21"),
        Call(
            call="tensorflow.portable_kernels",
            value=lambda seed: "true",
            profiles=PORTABLE,
            effect="Puts kernels of correctly rounded operations before those of single precision that use "
            "approximate reciprocals.",
            source="https://github.com/tensorflow/tensorflow/blob/master/tensorflow/c/kernels.h",
        ),
    ),
    nondeterministic=(
        "without op determinism, on a GPU: softmax_cross_entropy_with_logits, sparse_softmax_cross_entropy, "
        "segment_sum, unsorted_segment_sum and their kin, sparse_dense_matmul, gradients of image.resize, "
        "image.crop_and_resize, gather and of fused_batch_norm with respect to the offset "
        "(https://github.com/tensorflow/community/blob/master/rfcs/20210119-determinism.md)",
    ),
)

"""PyTorch: its seed and its deterministic algorithms, in the profile strict.

``warn_only`` lets an operation without a deterministic form warn instead of ending the program; the record of
the run then names it.
"""

from __future__ import annotations

from envfreeze.determinism import Call, Library

_DETERMINISTIC = "https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html"
_RANDOMNESS = "https://docs.pytorch.org/docs/stable/notes/randomness.html"

LIBRARY = Library(
    name="torch",
    distributions=frozenset({"torch", "pytorch"}),
    modules=frozenset({"torch"}),
    calls=(
        Call(
            call="torch.manual_seed",
            value=str,
            effect="Seeds the default generators of all devices.",
            source=f"{_RANDOMNESS}#pytorch-random-number-generator",
        ),
        Call(
            call="torch.use_deterministic_algorithms",
            value=lambda seed: "true",
            effect="Operations take their deterministic form where they have one, and warn where they have "
            "none; memory that is not initialised is filled.",
            since="1.11",
            cost="Scatter and index operations on a GPU, and filling memory.",
            source=_DETERMINISTIC,
        ),
        Call(
            call="torch.backends.cudnn.deterministic",
            value=lambda seed: "true",
            effect="cuDNN's convolutions use deterministic algorithms only.",
            cost="Convolutions can be slower.",
            source=f"{_RANDOMNESS}#cuda-convolution-determinism",
        ),
        Call(
            call="torch.backends.cudnn.benchmark",
            value=lambda seed: "false",
            effect="cuDNN's algorithm is chosen by rules, and not by which was the fastest this time.",
            cost="Convolutions can be slower.",
            source=f"{_RANDOMNESS}#cuda-convolution-benchmarking",
        ),
    ),
    nondeterministic=(
        "AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool2d, AvgPool3d, FractionalMaxPool2d, "
        "FractionalMaxPool3d, MaxPool3d and MaxUnpool backward on CUDA",
        "interpolate backward on CUDA with mode linear, bilinear, bicubic or trilinear",
        "ReflectionPad and ReplicationPad backward on CUDA",
        "NLLLoss on CUDA for inputs with spatial dimensions; CTCLoss backward on CUDA",
        "EmbeddingBag backward on CUDA with mode max",
        "put_ with accumulate=False; histc on CUDA; bincount on CUDA with weights",
        "kthvalue and median on CUDA; grid_sample backward on CUDA; cumsum on CUDA for floating point",
        "scatter_reduce on CUDA",
        "resize_ of quantised tensors",
    ),
)
"""The list is that of the documentation of ``use_deterministic_algorithms``."""

"""PyTorch: its seed and its deterministic algorithms, in the profile strict.

``warn_only`` lets an operation without a deterministic form warn instead of ending the program; the record of
the run then names it.
"""

from __future__ import annotations

from envfreeze.determinism import PORTABLE, Call, Library, Rule

_DETERMINISTIC = "https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html"
_RANDOMNESS = "https://docs.pytorch.org/docs/stable/notes/randomness.html"

LIBRARY = Library(
    name="torch",
    distributions=frozenset({"torch", "pytorch"}),
    modules=frozenset({"torch"}),
    rules=(
        Rule(
            variable="ATEN_CPU_CAPABILITY",
            value=lambda lock: "avx2",
            profiles=PORTABLE,
            effect="Takes PyTorch's own kernels for AVX2 on every processor.",
            since="1.5",
            source="https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/DispatchStub.cpp",
        ),
    ),
    calls=(
        Call(
            call="torch.backends.mkldnn.enabled",
            value=lambda seed: "false",
            profiles=PORTABLE,
            effect="Leaves oneDNN out: its LSTM gives other bits on other processors.",
            cost="Convolutions take up to four times as long.",
            source="https://docs.pytorch.org/docs/stable/backends.html",
        ),
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
    not_portable=("code that torch.compile makes for the processor at hand is not limited",),
    nondeterministic=(
        "gradients on CUDA of AvgPool3d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool2d, "
        "FractionalMaxPool2d, FractionalMaxPool3d",
        "MaxUnpool1d, MaxUnpool2d, MaxUnpool3d",
        "gradients on CUDA of interpolate with mode linear, bilinear, bicubic or trilinear",
        "gradients on CUDA of ReflectionPad1d, ReflectionPad2d, ReflectionPad3d",
        "NLLLoss on CUDA; gradients on CUDA of CTCLoss and of EmbeddingBag with mode max",
        "Tensor.put_ with accumulate=False, and with accumulate=True on CUDA",
        "histc on CUDA; bincount on CUDA with weights; median with indices on CUDA",
        "gradients on CUDA of grid_sample; cumsum on CUDA of floating point numbers",
        "Tensor.scatter_reduce on CUDA with reduce prod",
        f"Tensor.resize_ of a quantised tensor ({_DETERMINISTIC})",
    ),
)

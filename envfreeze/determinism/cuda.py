"""cuBLAS, for every package that computes on an NVIDIA GPU.

``NVIDIA_TF32_OVERRIDE`` stays as recorded: it changes the precision of products. ``CUDA_LAUNCH_BLOCKING``
only changes when errors are seen. cuDNN and PyTorch have no variable for deterministic algorithms; they are
asked for in the program (``torch.use_deterministic_algorithms``).
"""

from __future__ import annotations

from envfreeze.determinism import Library, Rule
from envfreeze.determinism._threads import has_gpu

LIBRARY = Library(
    name="cuda",
    distributions=frozenset(
        {
            "cupy-cuda11x",
            "cupy-cuda12x",
            "cupy-cuda13x",
            "cupy",
            "jax",
            "nvidia-cublas",
            "nvidia-cublas-cu11",
            "nvidia-cublas-cu12",
            "pytorch",
            "tensorflow",
            "torch",
        }
    ),
    rules=(
        Rule(
            variable="CUBLAS_WORKSPACE_CONFIG",
            value=lambda lock: ":4096:8" if has_gpu(lock) else None,
            effect="Gives cuBLAS a fixed workspace, without which products may change from run to run when "
            "several streams are in use. cuBLAS may pick another algorithm for another workspace, so a "
            "recorded run without it can differ from the replay in the last bits.",
            since="CUDA 10.2",
            cost="About 24 MiB of GPU memory.",
            source="https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility",
        ),
        Rule(
            variable="NCCL_ALGO",
            value=lambda lock: None,
            strict=lambda lock: "Ring" if has_gpu(lock) else None,
            effect="Sums over several GPUs go round a ring, whose order follows from how they are connected, "
            "instead of by the algorithm that NCCL takes for the fastest for a message's size.",
            cost="Slower on many nodes.",
            source="https://docs.nvidia.com/megatron-core/developer-guide/nightly/user-guide/"
            "deterministic-training.html",
        ),
    ),
)

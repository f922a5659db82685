"""oneDNN, inside PyTorch and TensorFlow.

Its kernels follow from the processor; which instruction set it may use at most is a matter of the profile
``portable``. On one machine, with one number of threads, it gives the same bits again.
"""

from __future__ import annotations

from envfreeze.determinism import Library

LIBRARY = Library(
    name="onednn",
    distributions=frozenset({"torch", "pytorch", "tensorflow", "tensorflow-cpu", "tensorflow-intel"}),
    advice=(
        "ONEDNN_MAX_CPU_ISA, or DNNL_MAX_CPU_ISA in older versions, limits the instruction set "
        "(https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html)",
    ),
)

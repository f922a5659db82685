"""oneDNN, inside PyTorch and TensorFlow; also told by its older name.

Its kernels follow from the processor, unless the profile ``portable`` limits them. On one machine, with one
number of threads, it gives the same bits again.
"""

from __future__ import annotations

from envfreeze.determinism import PORTABLE, Library, Rule

_SOURCE = "https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html"

LIBRARY = Library(
    name="onednn",
    distributions=frozenset({"torch", "pytorch", "tensorflow", "tensorflow-cpu", "tensorflow-intel"}),
    modules=frozenset({"torch", "tensorflow"}),
    rules=tuple(
        Rule(
            variable=name,
            value=lambda lock: "AVX2",
            profiles=PORTABLE,
            effect="Compiles kernels for AVX2 on every processor, and not for the one at hand.",
            cost="Convolutions are slower on processors with AVX-512 or AMX.",
            source=_SOURCE,
        )
        for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
    ),
    advice=(
        f"ONEDNN_MAX_CPU_ISA, or DNNL_MAX_CPU_ISA in older versions, limits the instruction set ({_SOURCE})",
    ),
)

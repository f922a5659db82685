"""JAX and its compiler XLA."""

from __future__ import annotations

from envfreeze.determinism import Library, Rule
from envfreeze.determinism._threads import all_cores, has_gpu, one_thread, recorded_threads, usable
from envfreeze.determinism._xla import xla_calls

LIBRARY = Library(
    name="jax",
    distributions=frozenset({"jax"}),
    modules=frozenset({"jax"}),
    rules=(
        Rule(
            variable="XLA_FLAGS",
            value=lambda lock: "--xla_gpu_deterministic_ops=true" if has_gpu(lock) else None,
            effect="XLA picks deterministic GPU kernels, and no longer the one that was fastest in a trial. "
            "Flags of the recorded run come instead of this one.",
            cost="Scatter operations can be many times slower.",
            source="https://openxla.org/xla/determinism",
        ),
        Rule(
            variable="PJRT_NPROC",
            value=lambda lock: recorded_threads(lock, "jax", usable(lock)),
            strict=all_cores,
            portable=one_thread,
            effect="Restores the number of threads of the CPU device (by default one a core), by which "
            "gradients of convolutions are split; set only where this machine has other cores than the "
            "recorded one.",
            source="https://github.com/openxla/xla/blob/main/xla/pjrt/utils.cc",
        ),
    ),
    not_portable=(
        "Cholesky's decomposition, solve and eigh of single precision and trainings with convolutions were "
        "seen to differ on one of three emulated processors",
    ),
    calls=xla_calls("jax", isa_since="0.5.0", math_since="0.8.0"),
)

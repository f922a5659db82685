"""JAX and its compiler XLA."""

from __future__ import annotations

from envfreeze.determinism import PORTABLE, Call, Library, Rule
from envfreeze.determinism._threads import has_gpu
from envfreeze.determinism.tensorflow import XLA_EFFECT, XLA_SOURCE

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
    ),
    not_portable=("reciprocal square roots and matrix products were measured to differ",),
    calls=(
        Call(
            call="jax.xla.cpu_max_isa",
            value=lambda seed: "true",
            profiles=PORTABLE,
            effect=XLA_EFFECT,
            since="0.5.0",
            source=XLA_SOURCE,
        ),
    ),
)

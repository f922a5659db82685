"""The compiler XLA, which JAX and TensorFlow bring along each for itself."""

from __future__ import annotations

from envfreeze.determinism import PORTABLE, Call

_EFFECT = (
    "Adds --xla_cpu_max_isa=AVX2 and one thread for products to XLA_FLAGS, so that programs are compiled for "
    "AVX2 and not for the processor at hand."
)
_MATH_EFFECT = (
    "Adds --xla_cpu_enable_platform_dependent_math=false to XLA_FLAGS: no approximate reciprocal square "
    "roots in compiled programs, and no kernels of YNNPACK, which are chosen by processor."
)
_SOURCE = "https://github.com/openxla/xla/blob/main/xla/debug_options_flags.cc"


def xla_calls(library: str, *, isa_since: str, math_since: str) -> tuple[Call, ...]:
    """What the profile portable sets of the XLA in a library, and since which version of the library."""
    return (
        Call(
            call=f"{library}.xla.cpu_max_isa",
            value=lambda seed: "true",
            profiles=PORTABLE,
            effect=_EFFECT,
            since=isa_since,
            source=_SOURCE,
        ),
        Call(
            call=f"{library}.xla.cpu_platform_math",
            value=lambda seed: "true",
            profiles=PORTABLE,
            effect=_MATH_EFFECT,
            since=math_since,
            cost="Products of matrices can be slower.",
            source=_SOURCE,
        ),
    )

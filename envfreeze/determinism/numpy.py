"""NumPy's legacy generator, which scikit-learn and SciPy use where no random state is given.

``numpy.random.default_rng()`` without a seed draws entropy, which the shim makes from the seed.
"""

from __future__ import annotations

from envfreeze.determinism import PORTABLE, Call, Library, Rule, installed
from envfreeze.records.lock import Lock

_SINCE_2_4 = "X86_V4 AVX512_ICL AVX512_SPR"
_BEFORE = "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
"""The names changed with numpy 2.4; those that a version does not know it passes over."""


def _beyond_avx2(lock: Lock) -> str:
    version = installed(lock).get("numpy", "")
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    if len(numbers) < 2:
        return f"X86_V4 {_BEFORE}"
    return _SINCE_2_4 if numbers >= [2, 4] else _BEFORE


LIBRARY = Library(
    name="numpy",
    distributions=frozenset({"numpy"}),
    modules=frozenset({"numpy"}),
    rules=(
        Rule(
            variable="NPY_DISABLE_CPU_FEATURES",
            value=_beyond_avx2,
            profiles=PORTABLE,
            effect="Leaves out the kernels for AVX-512, which give exp, log and power other last bits.",
            since="1.20",
            cost="Element-wise functions are up to two times slower on processors with AVX-512.",
            source="https://numpy.org/doc/stable/reference/simd/build-options.html",
        ),
    ),
    calls=(
        Call(
            call="numpy.random.seed",
            value=str,
            effect="Seeds the global generator where there is no shim, which seeds all randomness.",
            source="https://numpy.org/doc/stable/reference/random/generated/numpy.random.seed.html",
        ),
    ),
)

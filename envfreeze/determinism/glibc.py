"""The GNU C library: its mathematical functions are chosen by processor.

All processors with AVX2 and FMA get the same variants of libm; only the vector functions of libmvec have one
more for AVX-512. Names that a version does not know it passes over.
"""

from __future__ import annotations

from envfreeze.determinism import PORTABLE, Library, Rule

LIBRARY = Library(
    name="glibc",
    rules=(
        Rule(
            variable="GLIBC_TUNABLES",
            value=lambda lock: "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512DQ,-AVX512BW",
            profiles=PORTABLE,
            effect="The C library takes its functions for AVX2 on processors with AVX-512 too.",
            since="2.33",
            source="https://sourceware.org/glibc/manual/latest/html_node/Hardware-Capability-Tunables.html",
        ),
    ),
)

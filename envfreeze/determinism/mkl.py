"""Intel MKL, alone or inside the torch wheels.

``MKL_CBWR`` (conditional numerical reproducibility) is left as recorded: it picks other kernels than the
recorded run had, so that the results could not be the same bits any more. The profile portable sets it, in
the recorded run too; as MKL heeds it on Intel's processors only, a preloaded library (``portable/``) answers
its questions for the vendor.
"""

from __future__ import annotations

from envfreeze.determinism import PORTABLE, Library, Rule
from envfreeze.determinism._threads import (
    all_cores,
    cores_here,
    in_force,
    one_thread,
    physical,
    recorded_threads,
    same_cores,
)
from envfreeze.records.lock import Lock

_INTEL = "https://www.intel.com/content/www/us/en/docs/onemkl/developer-guide-linux/2025-0"


def _dynamic(lock: Lock) -> str | None:
    """Needed where MKL would come down to this machine's fewer physical cores."""
    wanted = in_force(lock, "mkl") or physical(lock)
    return "FALSE" if not same_cores(lock) and wanted > (cores_here()[1] or wanted) else None


LIBRARY = Library(
    name="mkl",
    distributions=frozenset({"libblas-mkl", "mkl", "mkl-service", "pytorch", "torch"}),
    rules=(
        Rule(
            variable="MKL_NUM_THREADS",
            value=lambda lock: recorded_threads(lock, "mkl", physical(lock)),
            strict=all_cores,
            portable=one_thread,
            effect="Restores the recorded number of threads (by default one a physical core); torch follows "
            "it too. Set only where this machine has other cores than the recorded one.",
            cost="Slower than it could be where this machine has more cores; crowded where it has fewer.",
            source=f"{_INTEL}/reproducibility-conditions.html",
        ),
        Rule(
            variable="MKL_DYNAMIC",
            value=_dynamic,
            strict=lambda lock: "FALSE",
            portable=lambda lock: "FALSE",
            effect="Keeps MKL from using fewer threads than recorded. Set only where this machine has fewer "
            "physical cores than that: elsewhere it would change what the recorded run did.",
            source=f"{_INTEL}/mkl-dynamic.html",
        ),
        Rule(
            variable="MKL_CBWR",
            value=lambda lock: "AVX2,STRICT",
            profiles=PORTABLE,
            effect="Takes the code branch for AVX2 on every processor, whatever the alignment of the data.",
            since="2019.3",
            cost="Products of matrices are up to two times slower on processors with AVX-512.",
            source=f"{_INTEL}/values-for-the-cbwr-setting.html",
        ),
    ),
)

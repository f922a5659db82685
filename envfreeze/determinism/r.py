"""R: its generator seeds itself from the time and the process number, both of which the shim gives back.

The profile strict reaches it through them; R has no variable for a seed, and ``set.seed`` is the program's.
"""

from __future__ import annotations

from envfreeze.determinism import Library

LIBRARY = Library(
    name="r",
    distributions=frozenset({"r-base", "rpy2"}),
    advice=(
        'set.seed(n), and RNGkind("L\'Ecuyer-CMRG") where the package parallel is used: only its streams are '
        "the same in every worker (https://stat.ethz.ch/R-manual/R-devel/library/base/html/Random.html)",
    ),
)

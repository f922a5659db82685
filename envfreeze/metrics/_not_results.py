"""Which reported numbers are no results, by their names: clocks, counters and settings.

They are left out of what is found; who wants one of them names it.
"""

from __future__ import annotations

import re

_NOT_RESULTS = re.compile(
    r"(?:^|[_\W])(?:time|times|timestamp|date|seconds?|secs?|minutes?|hours?|ms|duration|elapsed|eta|started|"
    r"ended|runtime|walltime|throughput|it/s|speed|memory|mem|rss|pid|port|seed|random_state|"
    r"epochs?|steps?|iters?|iterations?|batch|batch_size|rounds?|lr|learning_rate|version|"
    r"n|num|count|samples|workers|threads)(?:$|[_\W]*$)",
    re.IGNORECASE,
)


def is_result(name: str) -> bool:
    """Whether a number of this name may be a result; only the name's last part counts."""
    return _NOT_RESULTS.search(name) is None

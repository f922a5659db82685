"""Entry point: turns every failure into one sentence and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys

INTERRUPTED = 128
"""Exit codes above it are those of signals (sh(1))."""


def main() -> None:
    """Run the command line and exit: 0 ok, 1 results differ, 2 wrong input, 3 the environment failed."""
    from envfreeze.cli._main import run

    code = run(sys.argv[1:])
    if code > INTERRUPTED:
        # Everything was tidied up; a worker thread that is deep in a comparison need not be waited for.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()

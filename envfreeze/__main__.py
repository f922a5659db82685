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
        _end_services()
        os._exit(code)
    sys.exit(code)


def _end_services() -> None:
    """What ends with the process, and would not be told of such an exit."""
    podman = sys.modules.get("envfreeze.engines._podman")
    if podman is not None:
        podman.end_services()


if __name__ == "__main__":
    main()

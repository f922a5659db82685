"""Entry point: turns every failure into one sentence and an exit code."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit: 0 ok, 1 results differ, 2 wrong input, 3 the environment failed."""
    from envfreeze.cli._main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

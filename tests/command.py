"""The command line in a process of its own, as a user has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def envfreeze(*arguments: str | Path, cwd: Path, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    """What it printed and its exit status; it never ends with a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "envfreeze", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return done

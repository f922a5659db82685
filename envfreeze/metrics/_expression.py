"""Regular expressions on logs, run in a process of their own with a time limit.

Python's ``re`` may take exponential time, and both the expression (in a sweep's record) and the log may come
from a stranger. This file is that process's program too, so that it imports only the standard library.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SECONDS = 20.0
MAX_READ = 32 << 20
"""Bytes read from the end of a log."""
_MAX_LINE = 4096
_NONE = 7
"""Exit status when nothing matches."""


def lines(path: Path) -> Iterator[str]:
    """The lines of the last 32 MiB, cut where they are longer than 4 KiB."""
    with path.open("rb") as stream:
        size = path.stat().st_size
        stream.seek(max(0, size - MAX_READ))
        while line := stream.readline(_MAX_LINE):
            cut = max(line.rfind(b" "), line.rfind(b"\r")) if len(line) == _MAX_LINE else 0
            if cut > 0:  # not in the middle of a number
                stream.seek(cut - len(line), os.SEEK_CUR)
                line = line[:cut]
            yield line.decode("utf-8", errors="replace").replace("\r", "\n")


def last_match(path: Path, expression: str) -> str:
    """What the group of the last match holds.

    Raises:
        NotFound: nothing matches, or it takes longer than 20 seconds.
    """
    from envfreeze.metrics import NotFound

    command = [sys.executable, "-I", __file__, str(path.absolute())]
    try:
        done = subprocess.run(command, input=expression.encode(), capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise NotFound(f"the search for {expression} took longer than {SECONDS:g} s") from None
    if done.returncode == _NONE:
        raise NotFound(f"nothing matches {expression}")
    if done.returncode:
        raise NotFound(f"the search for {expression} failed")
    return done.stdout.decode("utf-8", errors="replace")


def _main() -> int:
    compiled, last = re.compile(sys.stdin.buffer.read().decode()), None
    for line in lines(Path(sys.argv[1])):
        for match in compiled.finditer(line):
            last = match[1]
    if last is None:
        return _NONE
    sys.stdout.buffer.write(last.encode("utf-8", errors="replace"))
    return 0


if __name__ == "__main__":
    sys.exit(_main())

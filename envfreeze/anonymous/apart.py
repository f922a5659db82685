"""The search of a stranger's bundle in a process of its own: what reads its files may crash or never end."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from envfreeze.anonymous.identities import Identity
from envfreeze.errors import EnvironmentFailure
from envfreeze.records.artifact import Search
from envfreeze.records.base import Record

MEMORY = 4 << 30
"""Bytes of private memory (RLIMIT_DATA, setrlimit(2))."""
PATIENCE = 600.0
"""Seconds for any bundle, and one more for each ``PACE`` bytes."""
PACE = 1 << 20


class _Question(Record):
    path: str
    identities: tuple[Identity, ...]
    public: tuple[str, ...]


def search_apart(path: Path, identities: Iterable[Identity], public: frozenset[str]) -> Search:
    """As ``search.search``; a bundle that brings it down was not searched, and that is said.

    Raises:
        EnvironmentFailure: it took too long, or too much memory, or a library crashed.
    """
    question = _Question(
        path=str(path.absolute()), identities=tuple(identities), public=tuple(sorted(public))
    )
    patience = PATIENCE + path.stat().st_size / PACE
    try:
        done = subprocess.run(
            [sys.executable, "-m", "envfreeze.anonymous.apart"],
            input=msgspec.json.encode(question),
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentFailure(f"the search for names in {path} did not end; it shows nothing.") from None
    try:
        return msgspec.json.decode(done.stdout, type=Search)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise EnvironmentFailure(
            f"the search for names in {path} ended early (exit status {done.returncode}); it shows nothing.",
            hint="A file in it may be made to bring readers down.",
        ) from None


def _main() -> None:
    from envfreeze.anonymous.search import search

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=_Question)
    found = search(Path(question.path), question.identities, public=frozenset(question.public))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    _main()

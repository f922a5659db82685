"""What can go wrong, each as one sentence that the user reads and an exit code that scripts read.

Exit codes: 0 reproduced or done, 1 the results differ, 2 wrong usage or input, 3 the environment
failed (engine, network, disk).
"""

from __future__ import annotations


class EnvfreezeError(Exception):
    """A failure that is explained to the user; ``str()`` is the sentence, ``hint`` what to do about it."""

    exit_code = 3

    def __init__(self, sentence: str, *, hint: str | None = None) -> None:
        super().__init__(sentence)
        self.hint = hint


class InputError(EnvfreezeError):
    """What the user gave is wrong: an option, a lockfile, a stored object. Exit code 2."""

    exit_code = 2


class EnvironmentFailure(EnvfreezeError):
    """The engine, the network or the disk failed; the input may well be right. Exit code 3."""

    exit_code = 3


class ProbeError(Exception):
    """A probe cannot see its part of the environment; the sentence goes into the lock as a gap."""

"""Comparators that run in a process of their own, as what reads the files for them may crash or never end.

The process is kept for the next question and replaced when it fails; memory is bounded by ``RLIMIT_DATA``
(setrlimit(2)), which does not count files that are mapped. Questions and answers are lines of JSON.
"""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import msgspec

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import budget_for, is_full, no_room
from envfreeze.errors import EnvironmentFailure
from envfreeze.files import stop_if_told
from envfreeze.records.base import Record

MEMORY = 3 << 30
"""Bytes of private memory."""
PATIENCE = 60.0
"""Seconds for any content, and one more for each ``PACE`` bytes."""
PACE = 2 << 20

inside = False
"""True in such a process."""


class _Question(Record):
    comparator: str
    original: str
    replay: str
    options: Options


class _Answer(Record):
    finding: Finding | None = None
    sentence: str = ""
    full: bool = False
    """True when the disk has no room for what would be unpacked, which says nothing about the contents."""


class _Worker:
    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "envfreeze.compare._worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    def ask(self, question: bytes, patience: float) -> bytes:
        """The answer; empty when the process ended."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        with contextlib.suppress(OSError):
            stdin.write(question + b"\n")
            stdin.flush()
        return self._line(stdout, time.monotonic() + patience)

    def _line(self, stdout: IO[bytes], deadline: float) -> bytes:
        received = b""
        while not received.endswith(b"\n"):
            stop_if_told()
            if time.monotonic() > deadline:
                raise TimeoutError
            if select.select([stdout], [], [], 0.2)[0]:
                part = os.read(stdout.fileno(), 1 << 16)
                if not part:
                    return b""
                received += part
        return received

    def end(self) -> None:
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self.process.wait()


_idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()


def compare(comparator: Comparator, one: Sample, two: Sample, options: Options) -> Finding:
    """What the comparator says, asked in another process.

    Raises:
        NotThisKind: it said so, crashed, or took too much time or memory.
        EnvironmentFailure: the disk has no room for what it unpacks.
    """
    question = _Question(
        comparator=comparator.name, original=str(one.path), replay=str(two.path), options=options
    )
    patience = PATIENCE + (one.size + two.size) / PACE
    try:
        worker = _idle.get_nowait()
    except queue.Empty:
        worker = _Worker()
    try:
        reply = worker.ask(msgspec.json.encode(question), patience)
        if not reply:
            raise NotThisKind("its reader crashed or ran out of memory")
        answer = msgspec.json.decode(reply, type=_Answer)
    except TimeoutError:
        worker.end()
        raise NotThisKind(f"its reader was still not done after {patience:.0f} s") from None
    except BaseException:
        worker.end()
        raise
    _idle.put(worker)
    if answer.full:
        raise no_room()
    if answer.finding is None:
        raise NotThisKind(answer.sentence)
    return answer.finding


def serve() -> None:
    """Answer questions until there are no more."""
    global inside
    inside = True
    for kind, limit in ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (limit if hard < 0 else min(limit, hard), hard))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        answers.write(msgspec.json.encode(_answer(line)) + b"\n")
        answers.flush()


def _answer(line: bytes) -> _Answer:
    from envfreeze.compare._contents import comparators

    question = msgspec.json.decode(line, type=_Question)
    try:
        comparator = next(one for one in comparators() if one.name == question.comparator)
        paths = Path(question.original), Path(question.replay)
        with budget_for(*paths):
            return _Answer(finding=comparator.compare(*paths, question.options))
    except NotThisKind as error:
        return _Answer(sentence=str(error))
    except EnvironmentFailure:
        return _Answer(full=True)
    except Exception as error:
        if is_full(error):
            return _Answer(full=True)
        return _Answer(sentence=f"its reader failed ({type(error).__name__})")


if __name__ == "__main__":
    from envfreeze.compare import _worker

    _worker.serve()

"""Runs one command with limits: its output goes to files, and it and all that it started end with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from envfreeze.files import stop_if_told
from envfreeze.progress import Progress
from envfreeze.records.run import Limits

if TYPE_CHECKING:
    import psutil

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL, as docker-stop(1) has it."""
TIMED_OUT = 124
"""Exit status of timeout(1)."""
KILLED = 128 + signal.SIGKILL


class Ended(NamedTuple):
    """How a command ended; ``status`` as a shell reports it, ``duration`` in seconds."""

    status: int
    timed_out: bool
    duration: float
    notes: tuple[str, ...]


def limit_notes(limits: Limits) -> tuple[str, ...]:
    """Where a limit is kept in another way than a container engine would."""
    notes = []
    if limits.memory is not None:
        notes.append("the memory limit was kept by watching the processes, not by the kernel")
    if limits.cpus is not None:
        notes.append(f"the processor limit was kept by allowing {max(1, int(limits.cpus))} whole cores")
    return tuple(notes)


def run(
    command: Sequence[str],
    *,
    directory: Path | str,
    environment: Mapping[str, str],
    folder: Path,
    limits: Limits,
    progress: Progress,
    pass_fds: Sequence[int] = (),
    room: Sequence[Path] = (),
) -> Ended:
    """Run it to its end; ``folder`` then holds ``stdout`` and ``stderr``.

    Args:
        room: folders that the command can write to, for the limit on disk.

    Raises:
        OSError: the command cannot be started, or the files cannot be written.
    """
    started = time.monotonic()
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        with _cores(limits.cpus):
            process = subprocess.Popen(
                list(command),
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # out of reach of the terminal, and a group of its own
                pass_fds=pass_fds,
            )
        pumps = [_Pump(process.stdout, out, progress), _Pump(process.stderr, err, progress)]
        try:
            timed_out, notes = _watch(process, limits, started, (*room, folder))
        finally:
            _end(process)
            for pump in pumps:
                pump.join(5)
    for pump in pumps:
        if pump.failure is not None:
            raise pump.failure
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    if notes:
        status = KILLED
    return Ended(TIMED_OUT if timed_out else status, timed_out, time.monotonic() - started, notes)


@contextlib.contextmanager
def _cores(limit: float | None) -> Iterator[None]:
    """While open, this thread may only use so many cores; what it starts inherits that."""
    usable = os.sched_getaffinity(0)
    if limit is not None:
        os.sched_setaffinity(0, sorted(usable)[: max(1, int(limit))])
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


class _Pump(threading.Thread):
    """Copies a stream to a file as it comes, and tells of its lines."""

    def __init__(self, source: IO[bytes] | None, target: IO[bytes], progress: Progress) -> None:
        super().__init__(daemon=True)
        assert source is not None
        self.source, self.target, self.progress = source, target, progress
        self.failure: OSError | None = None
        self.start()

    def run(self) -> None:
        rest = b""
        with self.source:
            while chunk := os.read(self.source.fileno(), 1 << 16):
                self._keep(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                rest = rest[-4096:]
                for line in lines:
                    self.progress.detail(line.decode(errors="replace"))
        if rest:
            self.progress.detail(rest.decode(errors="replace"))

    def _keep(self, chunk: bytes) -> None:
        """After the first failure the stream is only drained, so that the command does not block."""
        if self.failure is None:
            try:
                self.target.write(chunk)
                self.target.flush()
            except OSError as error:
                self.failure = error


def _watch(
    process: subprocess.Popen[bytes], limits: Limits, started: float, room: Sequence[Path]
) -> tuple[bool, tuple[str, ...]]:
    """Wait for the end, or bring it about when a limit is passed; whether in time, and which limit it was."""
    deadline = None if limits.timeout is None else started + limits.timeout
    kill_at = None
    look_at = started
    disk = _Disk(room, limits.disk)
    while True:
        stop_if_told()
        try:
            process.wait(0.25)
        except subprocess.TimeoutExpired:
            pass
        else:
            return kill_at is not None, ()
        now = time.monotonic()
        if kill_at is not None and now > kill_at:
            return True, ()
        if kill_at is None and deadline is not None and now > deadline:
            kill_at = now + GRACE
            _signal(_below(process), signal.SIGTERM)
        if now >= look_at:
            look_at = now + (0.25 if limits.memory is not None else 1.0)
            if excess := _excess(process, limits) or disk.excess():
                return False, (excess,)


def _excess(process: subprocess.Popen[bytes], limits: Limits) -> str | None:
    members = _below(process)
    if limits.processes is not None and len(members) > limits.processes:
        return f"ended because it had more than {limits.processes} processes"
    if limits.memory is None or _memory(members, shared=True) <= limits.memory:
        return None
    if _memory(members, shared=False) <= limits.memory:
        return None
    return f"ended because it used more than {limits.memory} bytes of memory"


class _Disk:
    """Looks how much the folders hold, whenever their disk has lost that much room since it was last so."""

    def __init__(self, room: Sequence[Path], limit: int | None) -> None:
        self._room, self._limit = room, limit
        self._free = self._now()
        self._used = 0

    def _now(self) -> list[int]:
        return [shutil.disk_usage(folder).free for folder in self._room] if self._limit is not None else []

    def excess(self) -> str | None:
        if self._limit is None:
            return None
        free = self._now()
        taken = max(before - now for before, now in zip(self._free, free, strict=True))
        if self._used + taken <= self._limit:
            return None
        self._free, self._used = free, sum(map(_size, self._room))
        if self._used <= self._limit:
            return None
        return f"ended because it took more than {self._limit} bytes of disk"


def _size(folder: Path) -> int:
    """Bytes that a folder's files take on the disk: st_blocks counts 512 (stat(2))."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{where}/{name}").st_blocks * 512
    return total


def _memory(members: Sequence[psutil.Process], *, shared: bool) -> int:
    """Bytes that the processes hold; shared pages count in each (quick), or once in all (slower)."""
    import psutil

    total = 0
    for member in members:
        with contextlib.suppress(psutil.Error):
            total += member.memory_info().rss if shared else member.memory_full_info().pss
    return total


def _below(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The command's processes, without those of the sandbox around them."""
    import psutil

    try:
        root = psutil.Process(process.pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return []
    found = []
    for member in tree:
        with contextlib.suppress(psutil.Error):
            if member.name() != "bwrap":
                found.append(member)
    return found


def _signal(members: Sequence[psutil.Process], number: int) -> None:
    import psutil

    for member in members:
        with contextlib.suppress(psutil.Error):
            member.send_signal(number)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of it is left afterwards: the tree, the process group, and with bubblewrap its namespace."""
    _signal(_below(process), signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

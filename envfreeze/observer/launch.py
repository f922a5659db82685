"""Starts the user's command, passes streams and signals through, and waits for its end."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.observer.resources import Sampler
from envfreeze.observer.streams import Stream
from envfreeze.observer.tracing import Report, Trace
from envfreeze.records.base import Bytes, Record, Seconds

GRACE = 0.5
"""Seconds of silence after the command's end until streams that its children hold open are left."""
LONGEST_GRACE = 3.0
"""Seconds after the command's end when they are left even though more comes."""


class Ended(Record):
    """How the command went."""

    pid: int
    exit_status: int
    """As a shell reports it: 128 + N when signal N ended it."""
    duration: Seconds
    cpu: Seconds
    peak_memory: Bytes
    processes: frozenset[int]
    """Process ids seen in its tree."""
    terminals: tuple[bool, bool]
    """Whether the command saw terminals as its output and error streams."""
    left_open: bool = False
    """True when programs that it started still held its streams when it had ended."""
    trace: Trace | None = None
    """How the tracing went, if there was a tracer."""


def find_program(command: Sequence[str], environment: Mapping[str, str], directory: Path) -> str:
    """Path of the program that the command starts, by execvp(3)'s rules.

    Raises:
        InputError: there is none, or it cannot be executed.
    """
    if not command or not command[0]:
        raise InputError("the command is empty.", hint="For example: envfreeze freeze -- python train.py")
    if any("\0" in word for word in command):
        raise InputError("the command holds a NUL character, which no program can be given.")
    name = command[0]
    if "/" not in name:
        found = shutil.which(name, path=environment.get("PATH", os.defpath))
        if found is None:
            raise InputError(f"the command {name!r} was not found on the PATH.", hint="Check its spelling.")
        return found if found.startswith("/") else str(directory / found)
    path = directory / name
    if not path.exists():
        raise InputError(f"the command {name!r} does not exist in {directory}.", hint="Check its spelling.")
    if path.is_dir() or not os.access(path, os.X_OK):
        what = "is a folder" if path.is_dir() else "is not executable"
        raise InputError(f"the command {name!r} {what}.", hint=_how_to_start(path))
    return str(path)


def _how_to_start(path: Path) -> str:
    program = {".py": "python ", ".sh": "bash "}.get(path.suffix)
    return f"Try: envfreeze freeze -- {program}{path.name}" if program else f"Try: chmod +x {path.name}"


def launch(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path,
    folder: Path,
    passthrough: tuple[int, int] = (1, 2),
    tracer: Path | None = None,
) -> Ended:
    """Run the command to its end; what it wrote lies in ``folder`` as ``stdout`` and ``stderr``.

    Args:
        tracer: the program that the command runs under (see ``tracing``), if any.
        passthrough: file descriptors of ours that its two streams are forwarded to.

    Raises:
        InputError: the program cannot be started.
        EnvironmentFailure: what it wrote could not be kept; the command itself was not disturbed.
    """
    streams = (
        Stream(own=1, forward_to=passthrough[0], path=folder / "stdout"),
        Stream(own=2, forward_to=passthrough[1], path=folder / "stderr"),
    )
    try:
        ended = _run(command, environment, directory, streams, tracer)
    finally:
        for stream in streams:
            stream.close()
    for stream in streams:
        if stream.failure is not None:
            why = (stream.failure.strerror or "write error").lower()
            raise EnvironmentFailure(
                f"the output of the command could not be kept in {folder}: {why}.",
                hint="Free some space there, and freeze again.",
            )
    return ended


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    streams: tuple[Stream, Stream],
    tracer: Path | None,
) -> Ended:
    shares_terminal = _in_foreground()
    with _Signals(streams, shares_terminal=shares_terminal) as signals, _report(tracer) as report:
        began = time.monotonic()
        words = [*(report.prefix(tracer) if report and tracer else ()), *command]
        variables = report.environment(environment) if report else environment
        process = _start(words, variables, directory, streams, own_group=not shares_terminal)
        for stream in streams:
            stream.close_child_end()
        trace = None
        if report:
            report.close_child_end()
            trace = report.wait_for_start()
        pid = trace.pid if trace and trace.pid else process.pid
        signals.started(pid, group=process.pid)
        sampler = Sampler(pid)
        sampler.start()
        try:
            left_open, ended, status, usage = _pump_until_end(process.pid, streams)
        finally:
            sampler.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        trace = report.finish() if report else None
    if trace and trace.failed:
        raise _not_started(command, OSError(trace.failed, os.strerror(trace.failed)))
    code = process.returncode
    return Ended(
        pid=pid,
        exit_status=code if code >= 0 else 128 - code,
        duration=round(ended - began, 3),
        cpu=round(trace.cpu if trace else usage.ru_utime + usage.ru_stime, 3),
        peak_memory=max(sampler.peak_memory, _largest_process(usage)),
        processes=frozenset(sampler.seen | {pid}),
        terminals=(streams[0].terminal, streams[1].terminal),
        left_open=left_open,
        trace=trace,
    )


@contextlib.contextmanager
def _report(tracer: Path | None) -> Iterator[Report | None]:
    if tracer is None:
        yield None
        return
    report = Report()
    try:
        yield report
    finally:
        report.close()


def _start(
    command: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    streams: tuple[Stream, Stream],
    *,
    own_group: bool,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(command),
            stdout=streams[0].child_end,
            stderr=streams[1].child_end,
            cwd=directory,
            env=dict(environment),
            close_fds=False,  # what the user handed us stays open for the command; ours close on exec
            process_group=0 if own_group else None,
        )
    except OSError as error:
        raise _not_started(command, error) from None


def _not_started(command: Sequence[str], error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        why = "the interpreter in its #! line is missing."
        return InputError(f"the command {command[0]!r} could not be started: {why}")
    hint = "A script needs a #! line; or try: envfreeze freeze -- bash " + command[0]
    sentence = f"the command {command[0]!r} could not be started: {(error.strerror or '').lower()}."
    return InputError(sentence, hint=hint if error.errno == 8 else None)


def _pump_until_end(
    pid: int, streams: tuple[Stream, Stream]
) -> tuple[bool, float, int, resource.struct_rusage]:
    """Whether streams were left open, when the process ended, its wait status and its resource usage."""
    with selectors.DefaultSelector() as selector, _process_descriptor(pid) as descriptor:
        for stream in streams:
            selector.register(stream.own_end, selectors.EVENT_READ, stream)
        if descriptor is not None:
            selector.register(descriptor, selectors.EVENT_READ, None)
        result: tuple[float, int, resource.struct_rusage] | None = None
        while result is None or len(selector.get_map()) > 0:
            wait = GRACE if result is not None else None if descriptor is not None else 0.05
            ready = selector.select(wait)
            for key, _ in ready:
                if key.data is not None and not key.data.pump():
                    selector.unregister(key.fd)
            if result is None:
                reaped, status, usage = os.wait4(pid, os.WNOHANG)
                if reaped:
                    result = time.monotonic(), status, usage
                    if descriptor is not None:
                        selector.unregister(descriptor)
            elif not ready or time.monotonic() - result[0] > LONGEST_GRACE:
                return True, *result
        return False, *result


@contextlib.contextmanager
def _process_descriptor(pid: int) -> Iterator[int | None]:
    """A descriptor that is readable when the process has ended (pidfd_open(2), Linux 5.3), or None."""
    try:
        descriptor = os.pidfd_open(pid)
    except (OSError, AttributeError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _largest_process(usage: resource.struct_rusage) -> int:
    """Peak resident bytes of the largest process of the tree; 0 where the kernel does not know better.

    ``ru_maxrss`` (in KiB, getrusage(2)) of a child begins with what this process had when it forked.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage.ru_maxrss * 1024 if usage.ru_maxrss > own else 0


def _in_foreground() -> bool:
    """True when the terminal sends its signals (Ctrl-C, Ctrl-Z) to our process group."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


class _Signals:
    """While the command runs, signals are for the command.

    In the foreground of a terminal the command shares our process group: the kernel brings it Ctrl-C, and we
    only stay alive. Elsewhere it has its own group, and what is sent to us is sent on to all of it.
    """

    _FROM_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
    _OTHERS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

    def __init__(self, streams: tuple[Stream, Stream], *, shares_terminal: bool) -> None:
        self._streams = streams
        self._shares_terminal = shares_terminal
        self._pid: int | None = None
        self._group = 0
        self._early: list[int] = []
        self._previous: dict[int, object] = {}

    def __enter__(self) -> _Signals:
        for number in (*self._FROM_THE_TERMINAL, *self._OTHERS, signal.SIGWINCH):
            # What was ignored for us (nohup) stays ignored for the command too.
            if signal.getsignal(number) is not signal.SIG_IGN:
                with contextlib.suppress(ValueError):  # not in the main thread: no signal comes here
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def started(self, pid: int, *, group: int) -> None:
        """From now on there is somebody to send signals to."""
        self._pid, self._group = pid, group
        for number in self._early:
            self._send(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGWINCH:
            for stream in self._streams:
                stream.copy_window_size()
        elif number in self._FROM_THE_TERMINAL and self._shares_terminal:
            return
        if self._pid is None:
            self._early.append(number)
        else:
            self._send(number)

    def _send(self, number: int) -> None:
        assert self._pid is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._shares_terminal:
                os.kill(self._pid, number)
            else:
                os.killpg(self._group, number)

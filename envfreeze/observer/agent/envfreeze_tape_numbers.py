"""Numbers of processes and threads, as the program sees them; part of the agent, see ``envfreeze_tape.py``.

A recording notes the numbers that a program asked for in ``pids``, rows as the shim writes them
(``shim/pids.c``): identity of the process, kind, number. A replay shows them again. The kernel knows others,
so what a program does with a shown number is led to the real one, by a file that all processes of the replay
share.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OWN, PARENT, THREAD, CHILD = 1, 2, 3, 4
_ROW = 16
_MOST = 1 << 24
"""Bytes of rows that are read."""
_LIVE = "/pids.agent"
_getpid, _open, _close, _read, _write = os.getpid, os.open, os.close, os.read, os.write
_REAL = "/psutil/"
"""Code that asks the kernel about the number in C gets the real one."""


class Numbers:
    """What is shown for a real number, and what is real behind a shown one."""

    def __init__(self, tape: Any) -> None:
        self.tape = tape
        self.recorded: dict[tuple[int, int], int] = {}
        self.dead: set[int] = set()
        """Recorded numbers: one that no live process has is of nobody here."""
        self.shown: dict[int, int] = {}
        self.real: dict[int, int] = {}
        self.asked = self.own_shown = 0
        self.parent: tuple[int, int] = (0, 0)
        self.noted: set[tuple[int, int]] = set()
        if not tape.recording and "subprocess" not in sys.modules:  # that has kept os.waitpid by now
            self._load()
        tape.after_fork.append(self._forked)

    def _load(self) -> None:
        data = _content(self.tape.folder + "/pids")
        for at in range(0, len(data) - _ROW + 1, _ROW):
            key, kind, value = (
                int.from_bytes(data[at + start : at + end], sys.byteorder)
                for start, end in ((0, 8), (8, 12), (12, 16))
            )
            self.recorded.setdefault((key, kind), value)
        self.dead = set(self.recorded.values())

    def _forked(self) -> None:
        self.asked = 0
        self.noted = set()
        if self.tape.recording:
            self.own(_getpid())  # its parent is told it too

    def through(self, key: int, kind: int, real: int) -> int:
        """What to say for a number; noted, or taken from the notes."""
        if self.tape.recording:
            if (key, kind) not in self.noted:
                self.noted.add((key, kind))
                row = key.to_bytes(8, sys.byteorder) + kind.to_bytes(4, sys.byteorder)
                _append(self.tape.folder + "/pids", row + real.to_bytes(4, sys.byteorder))
            return real
        shown = self.recorded.get((key, kind))
        if shown is None or not 0 < shown <= 1 << 22:
            return self.shown.get(real, real)
        if self.shown.get(real) != shown:
            self.shown[real] = shown
            self.real[shown] = real
            _append(self.tape.state + _LIVE, b"%d %d\n" % (shown, real))
        return shown

    def own(self, real: int) -> int:
        if self.asked != real:
            self.own_shown = self.through(self.tape.id, OWN, real)
            self.asked = real
        return self.own_shown

    def of_parent(self, real: int) -> int:
        """A second answer is that of a process whose parent has ended."""
        own = _getpid()
        if self.parent == (own, real):
            return self.shown.get(real, real)
        first = self.parent[0] != own
        self.parent = (own, real)
        return self.through(self.tape.id, PARENT, real) if first else self.shown.get(real, real)

    def of_thread(self, real: int) -> int:
        if real == _getpid():
            return self.own(real)
        return self.through(self.tape.form.numbered(self.tape.id, b"t", self.tape.thread().id), THREAD, real)

    def started(self, real: Any) -> Any:
        """A program was started; what its parent is told."""
        if type(real) is not int or real <= 0 or not self.tape.on:
            return real
        try:
            thread = self.tape.thread()
            thread.started += 1
            key = self.tape.form.numbered(self.tape.id, b"c", thread.id, thread.started)
            return self.through(key, CHILD, real)
        except Exception as error:
            self.tape.failed(error)
            return real

    def behind(self, shown: Any) -> Any:
        """The real number; None for a recorded one that is no process's here."""
        if type(shown) is not int or shown <= 0:
            return shown
        found = self.real.get(shown)
        if found is not None:
            return found
        for line in _content(self.tape.state + _LIVE).split(b"\n"):
            pair = line.split()
            if len(pair) == 2 and int(pair[0]) == shown:
                found = int(pair[1])
        if found is not None:
            return found
        return None if shown in self.dead and shown not in self.shown else shown

    def path(self, path: Any) -> Any:
        """A path with the real number below /proc."""
        if type(path) is not str or path[:6] != "/proc/" or not "1" <= path[6:7] <= "9":
            return path
        number, slash, rest = path[6:].partition("/")
        real = self.behind(int(number)) if number.isdecimal() else None
        return path if real is None else "/proc/%d%s%s" % (real, slash, rest)


def _append(path: str, data: bytes) -> None:
    descriptor = _open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        _write(descriptor, data)
    finally:
        _close(descriptor)


def _content(path: str) -> bytes:
    try:
        descriptor = _open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        size = 0
        while size < _MOST:
            part = _read(descriptor, 1 << 20)
            if not part:
                break
            parts.append(part)
            size += len(part)
        return b"".join(parts)
    finally:
        _close(descriptor)


def attach(module: Any, tape: Any, put: Any) -> None:
    """Replace the functions of ``os`` that tell or take numbers."""
    numbers: Numbers = tape.numbers
    frame = sys._getframe
    getpid, getppid = module.getpid, module.getppid

    def own(self: Any) -> int:
        real: int = getpid()
        if numbers.asked == real and numbers.own_shown == real:
            return real
        return _shown(tape, numbers.own, real, frame(1).f_code.co_filename)

    def parent(self: Any) -> int:
        return _shown(tape, numbers.of_parent, getppid(), frame(1).f_code.co_filename)

    put.quick(module, "getpid", own)
    put.quick(module, "getppid", parent)
    if not tape.recording and numbers.recorded:
        _leading(module, tape, put)


def _shown(tape: Any, show: Any, real: int, path: str) -> int:
    if _REAL in path or not tape.on:
        return real
    try:
        return int(show(real))
    except Exception as error:
        tape.failed(error)
        return real


_BY_NUMBER = (
    "kill", "killpg", "getpgid", "getsid", "setpgid", "pidfd_open", "sched_getaffinity", "sched_setaffinity",
    "sched_getparam", "sched_setparam", "sched_getscheduler", "sched_setscheduler", "sched_rr_get_interval",
)  # fmt: skip
"""Functions whose first argument is a number of a process or a group."""
_BY_PATH = ("open", "stat", "lstat", "readlink", "access", "listdir", "scandir")


def _leading(module: Any, tape: Any, put: Any) -> None:
    """In a replay: what takes a number is given the real one, and what returns one shows the recorded one."""
    numbers: Numbers = tape.numbers

    def behind(number: Any) -> Any:
        try:
            return numbers.behind(number)
        except Exception as error:
            tape.failed(error)
            return number

    def by_number(original: Any, number: Any, *rest: Any, **named: Any) -> Any:
        real = behind(number)
        if real is None:
            raise ProcessLookupError(3, module.strerror(3))
        result = original(real, *rest, **named)
        returns = original.__name__ in ("getpgid", "getsid")
        return numbers.shown.get(result, result) if returns else result

    def waited(original: Any, *arguments: Any, **named: Any) -> Any:
        if arguments and original.__name__ in ("waitpid", "wait4"):
            arguments = (behind(arguments[0]), *arguments[1:])
            if arguments[0] is None:
                raise ChildProcessError(10, module.strerror(10))
        result = original(*arguments, **named)
        return (numbers.shown.get(result[0], result[0]), *result[1:])

    def by_path(original: Any, *arguments: Any, **named: Any) -> Any:
        if arguments:
            arguments = (tape.numbers.path(arguments[0]), *arguments[1:])
        return original(*arguments, **named)

    def forks(original: Any) -> Any:
        real = original()
        if real <= 0 or not tape.on:
            return real
        try:
            thread = tape.thread()
            child = tape.form.numbered(tape.id, b"f", thread.id, thread.forks)
            return numbers.through(child, OWN, real)
        except Exception as error:
            tape.failed(error)
            return real

    for name in _BY_NUMBER:
        put(module, name, by_number)
    for name in ("waitpid", "wait", "wait3", "wait4"):
        put(module, name, waited)
    for name in _BY_PATH:
        put(module, name, by_path)
    put(module, "getpgrp", lambda original: numbers.shown.get(original(), original()))
    put(module, "fork", forks)
    import builtins
    import io

    put(builtins, "open", by_path)
    io.open = builtins.open

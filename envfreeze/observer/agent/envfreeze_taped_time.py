"""The clocks of the module time.

A replay gives the recorded values; past the last of them time goes on from there at the real pace, as event
loops would never reach their timers otherwise (``shim/clock.c``).
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECONDS, CLOCK = 3, 16
_BILLION = 1e9
_CLOCKS = {
    "time": (0, "time_ns"), "monotonic": (1, "monotonic_ns"), "perf_counter": (1, "perf_counter_ns"),
    "process_time": (2, "process_time_ns"), "thread_time": (3, "thread_time_ns"),
}  # fmt: skip
"""Number of the clock (clock_gettime(2)), and the function that tells it in nanoseconds."""
_SAME = {0: 0, 5: 0, 1: 1, 6: 1, 2: 2, 3: 3, 4: 4, 7: 7, 11: 11}
"""Clocks that show the same time share a number: REALTIME_COARSE, MONOTONIC_COARSE; RAW, BOOTTIME, TAI."""


class Clocks:
    """What was given last by each clock, and how far that was from the real time."""

    def __init__(self, tape: Any) -> None:
        self.tape = tape
        self.offset: dict[int, int] = {}
        self.last: dict[int, int] = {}

    def through(self, clock: int, label: str, code: Any, real: int, source: int = 0) -> int:
        """What the program is told, ns, when the real clock says ``real``."""
        tape = self.tape
        thread = tape.enter()
        if thread is None:
            return real + self.offset.get(clock, 0)
        try:
            stream = tape.stream(thread, source or CLOCK + clock, label, code)
            if tape.recording:
                tape.put(thread, stream, real)
            else:
                real = self._given(thread, stream, clock, real)
        except Exception as error:
            tape.failed(error)
        finally:
            thread.busy = False
        return real

    def _given(self, thread: Any, stream: Any, clock: int, real: int) -> int:
        value: int | None = self.tape.take(thread, stream)
        if value is None:
            value = real + self.offset.get(clock, 0)
            last = self.last.get(clock)
            if last is not None and value <= last:
                value = last + 1
        self.offset[clock] = value - real
        self.last[clock] = value
        return value


def attach(module: Any, tape: Any, put: Any) -> None:
    tape.clocks = clocks = Clocks(tape)
    through, frame, real = clocks.through, sys._getframe, module.time_ns

    def clock(name: str, number: int, ask: Any) -> None:
        label = "time." + name

        def seconds(self: Any) -> float:
            return through(number, label, frame(1).f_code, ask()) / _BILLION

        def nanoseconds(self: Any) -> int:
            return through(number, label, frame(1).f_code, ask())

        put.quick(module, name, nanoseconds if name.endswith("_ns") else seconds)

    for name, (number, exact) in _CLOCKS.items():
        ask = getattr(module, exact, None)
        if ask is not None:
            clock(name, number, ask)
            clock(exact, number, ask)
    by_number = getattr(module, "clock_gettime_ns", None)
    if by_number is not None:
        put(module, "clock_gettime", lambda original, which: told(original, which, False))
        put(module, "clock_gettime_ns", lambda original, which: told(original, which, True))

    def told(original: Any, which: Any, whole: bool) -> Any:
        known = _SAME.get(which) if type(which) is int else None
        if known is None:
            return original(which)
        asked: Any = by_number
        value = through(known, "time.clock_gettime", tape.caller(frame(1)), asked(which))
        return value if whole else value / _BILLION

    def now(name: str) -> int:
        return through(0, "time." + name, tape.caller(frame(1)), real()) // 1_000_000_000

    def of_seconds(name: str) -> None:
        put(module, name, lambda original, seconds=None: original(now(name) if seconds is None else seconds))

    for name in ("localtime", "gmtime", "ctime"):
        of_seconds(name)
    local = module.localtime
    put(module, "asctime", lambda original, *parts: original(*(parts or (local(),))))
    put(module, "strftime", lambda original, form, *parts: original(form, *(parts or (local(),))))

"""Starts a command under the tracer, and reads what the tracer says about itself.

The tracer (``tracer/main.c``) sees the calls of all programs, also of static ones and past the C library.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from envfreeze.records.base import Record
from envfreeze.records.files import Gap

TRACER = Path(__file__).parent / "tracer" / "envfreeze-tracer"
"""Compiled when the wheel is made; not there when that machine had no C compiler."""

_MISSING = "this installation has no tracer: no C compiler was there when it was made"


def tracer() -> Path | None:
    """The tracer, when this installation has it."""
    return TRACER if os.access(TRACER, os.X_OK) else None


class Trace(Record):
    """How the tracing of one command went."""

    pid: int = 0
    """Of the command; 0 when it could not be started."""
    failed: int = 0
    """errno(3) of an exec that failed."""
    unseen: int = 0
    """errno(3) of a refused seccomp(2): the command ran, and nobody watched its calls."""
    status: int | None = None
    """wait(2)'s status of the command."""
    cpu: float = 0.0
    """Seconds of user and system time of the command and the children that it waited for."""
    died: bool = False
    """True when the tracer ended before the command."""
    unread: int = 0
    """Calls whose arguments could not be read."""
    ceased: bool = False
    """True when the log could not be written to its end."""
    confined: bool = False
    """True when set-user-ID programs got no rights (no_new_privs, prctl(2))."""


class Report:
    """The pipe through which the tracer reports."""

    def __init__(self) -> None:
        self._own, self._theirs = os.pipe()
        os.set_inheritable(self._theirs, True)
        self._text = b""

    def prefix(self, path: Path) -> list[str]:
        """What comes before the command's own words."""
        return [str(path), str(self._theirs)]

    @staticmethod
    def environment(given: Mapping[str, str]) -> dict[str, str]:
        """The variables to start the tracer with, so that the command gets the given ones."""
        names = {"LD_PRELOAD": "ENVFREEZE_PRELOAD"}
        return {names.get(name, name): value for name, value in given.items()}

    def close_child_end(self) -> None:
        """Once the tracer runs, or could not be started."""
        if self._theirs >= 0:
            os.close(self._theirs)
            self._theirs = -1

    def wait_for_start(self) -> Trace:
        """Until the command's process is there; it may still fail to become the program."""
        while not any(line.startswith((b"started ", b"failed ")) for line in self._text.splitlines()):
            part = os.read(self._own, 4096)
            if not part:
                break
            self._text += part
        return parse(self._text)

    def finish(self) -> Trace:
        """After the end: all that was reported."""
        os.set_blocking(self._own, False)
        try:
            while part := os.read(self._own, 4096):
                self._text += part
        except BlockingIOError:
            pass  # programs that were left running still hold it
        return parse(self._text)

    def close(self) -> None:
        """Give the pipe back."""
        self.close_child_end()
        os.close(self._own)


def parse(text: bytes) -> Trace:
    """Read the report; what it does not say stays as the defaults are."""
    found: dict[str, int | float | bool] = {}
    for line in text.splitlines():
        match line.split():
            case [b"started", pid]:
                found["pid"] = int(pid)
            case [b"failed" | b"unseen" as what, number]:
                found[what.decode()] = int(number)
            case [b"ended", status, cpu, died, unread, ceased, confined]:
                found |= {"status": int(status), "cpu": int(cpu) / 1e6, "died": died != b"0"}
                found |= {"unread": int(unread), "ceased": ceased != b"0", "confined": confined != b"0"}
    return Trace(**found)  # type: ignore[arg-type]


def gaps(trace: Trace | None, programs: Iterable[str] = ()) -> list[Gap]:
    """What a deep trace that was asked for did not see, or changed.

    Args:
        trace: None when it could not begin.
        programs: paths of the programs that ran.
    """
    if trace is None:
        return [Gap(what="the deep trace", why=_MISSING)]
    found = []
    if trace.unseen:
        why = (
            f"this system refuses it (seccomp: {os.strerror(trace.unseen).lower()}); the default way was used"
        )
        if trace.unseen == errno.EBUSY:
            why = "this process is under another such tracer already; the default way was used"
        found.append(Gap(what="the deep trace", why=why))
    if trace.died or (trace.status is None and not trace.failed):
        why = "the tracer was ended before the command; what came later is seen in the default way only"
        found.append(Gap(what="some of what the run read", why=why))
    if trace.confined and (names := [path for path in programs if _is_privileged(path)]):
        why = f"{', '.join(sorted(set(names))[:5])} ran without them: the deep trace lets nobody gain rights"
        found.append(Gap(what="programs with other rights", why=why))
    if trace.ceased:
        why = "the deep trace could not be written down to its end, as on a full disk"
        found.append(Gap(what="some of what the run read", why=why))
    if trace.unread:
        why = f"the tracer may not look into {trace.unread} calls of programs with other rights"
        found.append(Gap(what="some of what the run read", why=why))
    return found


def _is_privileged(path: str) -> bool:
    """True for a set-user-ID program."""
    try:
        return bool(os.stat(path).st_mode & stat.S_ISUID)  # noqa: PTH116 - names that are not valid UTF-8
    except (OSError, ValueError):
        return False

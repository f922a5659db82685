"""Tells programs that this process starts their names on the tapes; part of ``envfreeze_tape.py``."""

from __future__ import annotations

import os
from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SELF = "ENVFREEZE_TAPE_SELF"
_putenv = os.putenv


class Programs:
    """Names by the order in which each thread starts them."""

    def __init__(self, tape: Any) -> None:
        self.tape, self.lock = tape, RLock()
        tape.after_fork.append(self._forked)

    def _forked(self) -> None:
        self.lock = RLock()

    def child(self, kind: bytes) -> int:
        """Identity of the next process that this thread starts (``s``), or is about to become (``e``)."""
        thread = self.tape.thread()
        thread.spawns += 1
        return int(self.tape.form.numbered(self.tape.id, kind, thread.id, thread.spawns))

    def tell_next(self, kind: bytes) -> None:
        """Name the program that is started next with this process's own variables."""
        try:
            if SELF in os.environ:
                _putenv(SELF, "%016x." % self.child(kind))
        except Exception as error:
            self.tape.failed(error)

    def environment(self, given: Any, kind: bytes) -> Any:
        """The variables of a program that is about to be started, with its name among them."""
        try:
            for name in (SELF, SELF.encode()):
                # Text and bytes are not compared, which is an error under python -bb.
                if name in [key for key in given if type(key) is type(name)]:
                    return {**given, name: "%016x." % self.child(kind)}
        except Exception as error:
            self.tape.failed(error)
        return given

    def environment_list(self, given: list[bytes]) -> list[bytes]:
        """The same for variables as ``NAME=value``."""
        try:
            start = SELF.encode() + b"="
            for number, item in enumerate(given):
                if item.startswith(start):
                    return [*given[:number], start + b"%016x." % self.child(b"s"), *given[number + 1 :]]
        except Exception as error:
            self.tape.failed(error)
        return given

    def starting(self, inherits: bool, start: Callable[[], Any]) -> Any:
        """Start a program; one with this process's variables is named, while no other thread starts one."""
        if not inherits:
            return self.tape.numbers.started(start())
        with self.lock:
            self.tell_next(b"s")
            return self.tape.numbers.started(start())

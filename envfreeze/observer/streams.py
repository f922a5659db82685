"""One output stream of the command: passed through untouched, and kept."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import termios
from pathlib import Path
from typing import IO

CHUNK = 1 << 16


class Stream:
    """A pseudo-terminal when the user's own stream is a terminal, otherwise a pipe.

    The command gets ``child_end``; what it writes there is read by ``pump``, which writes it to
    ``forward_to`` and to the file at ``path``.
    """

    def __init__(self, *, own: int, forward_to: int, path: Path) -> None:
        self.terminal = _is_terminal(own) and _is_terminal(forward_to)
        self._template = forward_to
        if self.terminal:
            self.own_end, self.child_end = os.openpty()
            _like(self._template, self.child_end)
        else:
            self.own_end, self.child_end = os.pipe()
        self._forward_to: int | None = forward_to
        self._kept: IO[bytes] = path.open("wb")
        self.path = path
        self.size = 0
        self.failure: OSError | None = None
        """Why not all could be kept, for example a full disk."""

    def close_child_end(self) -> None:
        """To be called once the command has its copy, or the stream never ends."""
        if self.child_end >= 0:
            os.close(self.child_end)
            self.child_end = -1

    def pump(self) -> bool:
        """Pass on what is there; False at the end. Blocks when nothing is there."""
        try:
            data = os.read(self.own_end, CHUNK)
        except OSError:  # EIO: the last holder of the pseudo-terminal closed it
            return False
        if not data:
            return False
        self._forward(data)
        self._keep(data)
        return True

    def _forward(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and self._forward_to is not None:
            try:
                rest = rest[os.write(self._forward_to, rest) :]
            except BlockingIOError:  # somebody made our stream non-blocking
                select.select([], [self._forward_to], [], 1)
            except OSError:  # the reader went away (`| head`): the run goes on, and is still kept
                self._forward_to = None

    def _keep(self, data: bytes) -> None:
        if self.failure is None:
            try:
                self._kept.write(data)
                self.size += len(data)
            except OSError as error:
                self.failure = error

    def copy_window_size(self) -> None:
        """Give the command's terminal the size of the user's."""
        if self.terminal:
            with contextlib.suppress(OSError):
                size = fcntl.ioctl(self._template, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
                fcntl.ioctl(self.own_end, termios.TIOCSWINSZ, size)

    def close(self) -> None:
        self.close_child_end()
        os.close(self.own_end)
        try:
            self._kept.close()
        except OSError as error:
            self.failure = self.failure or error


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _like(template: int, terminal: int) -> None:
    """Settings and size of the user's terminal, save that bytes are not changed on the way out.

    The user's terminal turns a newline into carriage return and newline itself (termios(3), OPOST).
    """
    with contextlib.suppress(termios.error, OSError):
        settings = termios.tcgetattr(template)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(terminal, termios.TCSANOW, settings)
        size = fcntl.ioctl(template, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)

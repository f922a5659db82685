"""Randomness of the system, as ``os.urandom`` and ``os.getrandom`` give it."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ENTROPY = 1


def attach(module: Any, tape: Any, put: Any) -> None:
    import os

    urandom, getrandom = os.urandom, getattr(os, "getrandom", None)

    def through(size: int, draw: Any, name: str = "") -> Any:
        thread = tape.enter()
        if thread is None or type(size) is not int or size < 0:
            if thread is not None:
                thread.busy = False
            return draw(size)
        try:
            if name:
                stream = tape.named(thread, _ENTROPY, name)
            else:
                stream = tape.stream(thread, _ENTROPY, "randomness", tape.drawing(sys._getframe(1)))
            return tape.random(thread, stream, size, draw)
        except Exception as error:
            tape.failed(error)
            return draw(size)
        finally:
            thread.busy = False

    tape.draw = lambda size, name="": through(size, urandom, name)
    put(os, "urandom", lambda original, size: through(size, original))
    if getrandom is not None:
        put(os, "getrandom", lambda original, size, flags=0: through(size, lambda n: original(n, flags)))
    tape.urandom = os.urandom

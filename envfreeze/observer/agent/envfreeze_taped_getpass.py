"""``getuser``, which takes the name from a variable if there is one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_USER = 4


def attach(module: Any, tape: Any, put: Any) -> None:
    original = module.getuser

    def getuser() -> str:
        if tape.recording:
            return str(tape.said(_USER, "getuser", original()))
        try:
            now = original()
        except (ImportError, KeyError, OSError):
            now = ""
        return str(tape.said(_USER, "getuser", now) or original())

    getuser.__doc__, getuser.__module__ = original.__doc__, original.__module__
    getuser.__qualname__ = "getuser"
    module.getuser = getuser

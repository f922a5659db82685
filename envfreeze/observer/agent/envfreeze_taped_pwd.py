"""The name of the user. The home stays that of the replay, where files can be written."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_USER = 4


def attach(module: Any, tape: Any, put: Any) -> None:
    import os

    kind = module.struct_passwd

    def getpwuid(original: Any, number: Any) -> Any:
        if number != os.getuid():
            return original(number)
        try:
            found = original(number)
        except KeyError:  # in a container the user may have no name
            if tape.recording:
                raise
            found = None
        name = tape.said(_USER, "user", found.pw_name if found else "")
        if found is None:
            if not name:
                return original(number)
            home = os.environ.get("HOME") or "/"
            return kind((name, "x", number, os.getgid(), "", home, "/bin/sh"))
        return found if name == found.pw_name else kind((name, *tuple(found)[1:]))

    put(module, "getpwuid", getpwuid)

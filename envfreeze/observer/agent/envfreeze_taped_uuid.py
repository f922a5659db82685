"""``uuid1`` and ``getnode``; ``uuid4`` asks ``os.urandom``."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ENTROPY, _HOST = 1, 2


def attach(module: Any, tape: Any, put: Any) -> None:
    """libuuid draws the sixteen bytes by itself: they are taped as they come."""

    def generate(original: Any) -> Any:
        made, safe = original()
        thread = tape.enter()
        if thread is None:
            return made, safe
        try:
            stream = tape.stream(thread, _ENTROPY, "uuid1", tape.drawing(sys._getframe(1)))
            made = tape.random(thread, stream, 16, lambda size: made)
        except Exception as error:
            tape.failed(error)
        finally:
            thread.busy = False
        return made, safe

    load = vars(module).get("_load_system_functions")  # before Python 3.9 at the first need
    if load is not None and vars(module).get("_uuid") is not None:
        load()
    put(module, "_generate_time_safe", generate)
    node = module.getnode

    def getnode() -> int:
        return int(tape.said(_HOST, "node", str(node())))

    getnode.__doc__, getnode.__module__ = node.__doc__, node.__module__
    getnode.__qualname__ = "getnode"
    module.getnode = getnode

"""The host's name."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOST = 2


def attach(module: Any, tape: Any, put: Any) -> None:
    put(module, "gethostname", lambda original: tape.said(_HOST, "host", original()))

"""Programs started by ``subprocess`` and ``multiprocessing`` are told their names on the tapes."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ENVIRONMENT = 5
"""Place of the variables among the arguments of ``_posixsubprocess.fork_exec``, in Python 3.8 to 3.14."""


def attach(module: Any, tape: Any, put: Any) -> None:
    def fork_exec(original: Any, *arguments: Any) -> Any:
        given = arguments[_ENVIRONMENT]
        if given is not None:
            given = tape.programs.environment_list(given)
        arguments = (*arguments[:_ENVIRONMENT], given, *arguments[_ENVIRONMENT + 1 :])
        return tape.programs.starting(given is None, lambda: original(*arguments))

    loaded, original = sys.modules.get("subprocess"), module.fork_exec
    put(module, "fork_exec", fork_exec)
    if loaded is not None and vars(loaded).get("_fork_exec") is original:
        vars(loaded)["_fork_exec"] = module.fork_exec

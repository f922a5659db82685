"""Threads, so that each has a name that does not depend on which runs first."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attach(module: Any, tape: Any, put: Any) -> None:
    threading = sys.modules.get("threading")
    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        original = vars(module).get(name)
        put(
            module,
            name,
            lambda start, function, *rest, **named: start(_named(tape, function), *rest, **named),
        )
        if threading is not None and original is not None and vars(threading).get("_" + name) is original:
            setattr(threading, "_" + name, vars(module)[name])
    _numbers(module, threading, tape, put)


def _numbers(module: Any, threading: Any, tape: Any, put: Any) -> None:
    original = vars(module).get("get_native_id")

    def number(given: Any) -> int:
        real: int = given()
        try:
            return int(tape.numbers.of_thread(real)) if tape.on else real
        except Exception as error:
            tape.failed(error)
            return real

    put(module, "get_native_id", number)
    if threading is not None and original is not None:
        for name in ("get_native_id", "_get_native_id"):
            if vars(threading).get(name) is original:
                setattr(threading, name, module.get_native_id)


def _named(tape: Any, function: Any) -> Any:
    """The function that a thread begins with, in a thread that has its name."""
    try:
        thread = tape.new_thread()
    except Exception as error:
        tape.failed(error)
        return function

    def begin(*arguments: Any, **named: Any) -> Any:
        tape.begin_thread(thread)
        try:
            return function(*arguments, **named)
        finally:
            tape.end_thread(thread)

    return begin

"""The clock behind ``datetime.now``, ``utcnow`` and ``today``; ``date.today`` asks ``time.time``.

The type is written in C and takes no attributes, so the two methods are replaced in its own dictionary, at a
time when nobody has looked them up yet.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CLOCK = 16
_MILLION = 1_000_000


def attach(module: Any, tape: Any, put: Any) -> None:
    known = "gc" in sys.modules
    import gc

    if not known:
        del sys.modules["gc"]
    kind, zone = module.datetime, module.timezone.utc
    methods = gc.get_referents(vars(kind))[0]
    now, utcnow = methods["now"], methods["utcnow"]
    if not isinstance(methods, dict):
        return

    def given(cls: Any, tz: Any, value: Any, naive_utc: bool) -> Any:
        """The same time on the tape: ``value`` while recording, the recorded one in a replay."""
        if type(value) is not kind and not isinstance(value, kind):
            return value
        whole = value.replace(microsecond=0, tzinfo=zone) if naive_utc else value.replace(microsecond=0)
        real = int(whole.timestamp()) * _MILLION + value.microsecond
        told = tape.clocks.through(0, "datetime", tape.caller(sys._getframe(1)), real * 1000) // 1000
        if told == real:
            return value
        seconds, rest = divmod(told, _MILLION)
        made = cls.utcfromtimestamp(seconds) if naive_utc else cls.fromtimestamp(seconds, tz)
        return made.replace(microsecond=rest)

    def tell(cls: Any, tz: Any = None) -> Any:
        return given(cls, tz, now.__get__(None, cls)(tz), False)

    def tell_utc(cls: Any) -> Any:
        return given(cls, None, utcnow.__get__(None, cls)(), True)

    for function, original in ((tell, now), (tell_utc, utcnow)):
        function.__name__, function.__doc__ = original.__name__, original.__doc__
        function.__qualname__ = original.__qualname__
        methods[original.__name__] = classmethod(function)

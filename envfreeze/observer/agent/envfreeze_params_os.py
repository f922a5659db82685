"""Variables of the environment that the project's own code reads: their names, never their values.

``os.environ`` turns every name into bytes by its attribute ``encodekey`` before it looks it up; that is where
the name is seen, so that the ``KeyError`` of a missing one has no frame of ours in its traceback.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]

_READING = ("__getitem__", "__contains__")
_BETWEEN = ("os", "collections.abc", "_collections_abc", "posixpath", "genericpath")
"""Modules through which a name goes from the program to ``os.environ``."""
_OFTEN = 50
"""Reads of one name that are looked at; after that it is no longer asked who reads."""
_MOST = 1000


def watch(module: Any, recorder: Recorder) -> None:
    environment = module.environ
    encode = environment.encodekey
    looked_at: dict[str, int] = {}

    def encodekey(name: Any) -> Any:
        encoded = encode(name)
        count = looked_at.get(name, 0) if type(name) is str else _OFTEN
        if count < _OFTEN and len(looked_at) < _MOST:
            looked_at[name] = count + 1
            recorder.watched(asked, name, encoded, sys._getframe(1))
        return encoded

    def asked(name: str, encoded: Any, frame: FrameType | None) -> None:
        if frame is None or frame.f_code.co_name not in _READING:
            return
        while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
            frame = frame.f_back
        if frame is not None and recorder.is_of_project(frame.f_code.co_filename):
            looked_at[name] = _OFTEN
            place = recorder.to_json(recorder.place(frame))
            is_set = "true" if encoded in environment._data else "false"
            recorder.send('["e",%s,%s,%s]' % (recorder.to_json(name), is_set, place))

    environment.encodekey = encodekey


MODULES = {"os": watch}

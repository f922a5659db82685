"""absl.flags: all flags that the program defines, once the command line is parsed.

``FlagValues.__call__`` ends with ``self.mark_as_parsed()``. Source: ``absl/flags/_flagvalues.py`` and
``_flag.py`` (``Flag.present``, ``Flag.using_default_value``) of absl-py 0.7 to 2.3.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]


def watch(module: Any, recorder: Recorder) -> None:
    def parsed(flags: Any, frame: FrameType) -> None:
        recorder.note("absl", rows(flags))

    def rows(flags: Any) -> Iterator[tuple[str, Any, str, str]]:
        for name, flag in list(flags._flags().items()):
            home = str(flags.find_module_defining_flag(name, ""))
            given = flag.present or not getattr(flag, "using_default_value", True)
            if name == flag.name and (given or not home.startswith("absl")) and flag.value is not None:
                where = "default in " + home.rpartition("/")[2] if home else "default"
                yield name, flag.value, "given" if given else "default", "--" + name if given else where

    recorder.on_access(module.FlagValues, "mark_as_parsed", parsed)


MODULES = {"absl.flags._flagvalues": watch}

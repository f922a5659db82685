"""Where code of the program is when it asks for something; part of the agent, see ``envfreeze_tape.py``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

_FARTHEST = 40
"""Frames that are looked through for code outside of the standard library."""


class Places:
    """Call sites, without the agent's own code and as far as wanted without the standard library's."""

    def __init__(self) -> None:
        self.libraries: dict[str, bool] = {}
        self.own_files = {Places.__init__.__code__.co_filename}

    def in_library(self, path: str) -> bool:
        """True for code of the standard library and of the agent."""
        known = self.libraries.get(path)
        if known is None:
            inside = "/lib/python" in path or "/lib64/python" in path
            known = path[:1] == "<" or (inside and "-packages/" not in path) or path in self.own_files
            self.libraries[path] = known
        return known

    def caller(self, frame: FrameType | None) -> CodeType | None:
        """The innermost code that is not the agent's."""
        while frame is not None and frame.f_code.co_filename in self.own_files:
            frame = frame.f_back
        return None if frame is None else frame.f_code

    def drawing(self, frame: FrameType | None) -> CodeType | None:
        """The innermost code outside of the standard library: through random and uuid all would be one."""
        code = None
        for _ in range(_FARTHEST):
            if frame is None:
                break
            if frame.f_code.co_filename not in self.own_files:
                code = frame.f_code
                if not self.in_library(code.co_filename):
                    break
            frame = frame.f_back
        return code

    def place(self, frame: FrameType) -> tuple[str, str]:
        """File and line of the innermost code, and of the innermost outside of the standard library."""
        inner = ""
        for _ in range(_FARTHEST):
            path = frame.f_code.co_filename
            if path not in self.own_files:
                line = "%s:%d" % (path[-500:], frame.f_lineno)
                inner = inner or line
                if not self.in_library(path):
                    return inner, line
            if frame.f_back is None:
                break
            frame = frame.f_back
        return inner, ""

    @staticmethod
    def described(code: CodeType) -> str:
        """File and function; notebooks put a process number into the file's name."""
        name = code.co_filename.rpartition("/")[2]
        return "%s:%s" % ("".join(char for char in name if not "0" <= char <= "9")[:40], code.co_name[:64])

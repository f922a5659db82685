"""What the agent reports of a process, and the file that it reports to; see ``envfreeze_agent.py``.

Reports go to ``$ENVFREEZE_AGENT/<pid>-<ns>.events``, one JSON value a line, in ASCII (a path's undecodable
bytes are ``\\udcXX``, PEP 383). The first line is an object about the process; the others are
``["r", ns, path]`` (read, or its earlier content matters), ``["w", ns, path]`` (written) and
``["p", ns, program, [argv…]]`` (a program was started); the last, at a regular exit, is an object with
``libraries``, ``numerics`` and ``errors``. ``ns`` is CLOCK_MONOTONIC, which all processes share.
"""

from __future__ import annotations

import os
import sys
from time import clock_gettime_ns, monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LOWEST_DESCRIPTOR = 700
_UNTAPED_MONOTONIC = 0x7E570001
"""CLOCK_MONOTONIC by a number that only the shim knows (shim/clock.c): it is on no tape of the run."""
_ENCODING = sys.getfilesystemencoding()
_ENCODING_ERRORS = sys.getfilesystemencodeerrors()


def now() -> int:
    """Nanoseconds of CLOCK_MONOTONIC, as other processes and the shim count them."""
    return clock_gettime_ns(_UNTAPED_MONOTONIC) if shim_is_here else monotonic_ns()


try:
    shim_is_here = clock_gettime_ns(_UNTAPED_MONOTONIC) > 0
except OSError:
    shim_is_here = False


class Reporter:
    """The file that this process reports to; a forked child opens its own at its first report."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.descriptor = -1
        self.identity: tuple[int, int] | None = None
        self.forked = False

    def send(self, line: str) -> None:
        if not self._is_mine():
            self.open()
        os.write(self.descriptor, line.encode("ascii") + b"\n")

    def after_fork(self) -> None:
        try:
            if self._is_mine():
                os.close(self.descriptor)
        except Exception:
            pass  # Python would print it
        self.descriptor, self.forked = -1, True

    def _is_mine(self) -> bool:
        """False when the program closed our descriptor, and perhaps opened its own under that number."""
        if self.descriptor < 0:
            return False
        try:
            status = os.fstat(self.descriptor)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.identity

    def open(self) -> None:
        """Begin a report; the descriptor is moved up, as programs expect to be given 3, 4, 5, …."""
        path = "%s/%d-%d.events" % (self.folder, os.getpid(), now())
        low = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        status = os.fstat(low)
        self.identity = (status.st_dev, status.st_ino)
        self.descriptor = _moved_up(low)
        os.write(self.descriptor, _header(self.forked).encode("ascii") + b"\n")


def _moved_up(low: int) -> int:
    for number in range(_LOWEST_DESCRIPTOR, _LOWEST_DESCRIPTOR + 200):
        try:
            os.fstat(number)
        except OSError:
            try:
                os.dup2(low, number, False)
            except OSError:  # beyond RLIMIT_NOFILE
                return low
            os.close(low)
            return number
    return low


def to_json(value: Any) -> str:
    """JSON in ASCII; the json module is not loaded at startup, and loading it would show."""
    if isinstance(value, str):
        plain = value.isascii() and value.isprintable() and '"' not in value and "\\" not in value
        return '"' + (value if plain else "".join(map(_escaped, value))) + '"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(to_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(to_json(str(key)) + ":" + to_json(item) for key, item in value.items()) + "}"
    return "%d" % value if isinstance(value, int) else to_json(str(value))


def _escaped(char: str) -> str:
    code = ord(char)
    if code > 0xFFFF:
        code -= 0x10000
        return "\\u%04x\\u%04x" % (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))
    return char if 0x20 <= code < 0x7F and char not in '"\\' else "\\u%04x" % code


def _whole(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts: list[bytes] = []
        while True:
            part = os.read(descriptor, 1 << 16)
            if not part:
                return to_text(b"".join(parts))
            parts.append(part)
    finally:
        os.close(descriptor)


def to_text(path: str | bytes) -> str:
    return path if isinstance(path, str) else path.decode(_ENCODING, _ENCODING_ERRORS)


def _header(forked: bool) -> str:
    try:
        argv = _whole("/proc/self/cmdline").split("\0")[:-1]
    except OSError:
        argv = list(getattr(sys, "argv", []))
    try:
        directory = os.getcwd()
    except OSError:
        directory = ""
    return to_json(
        {
            "executable": sys.executable or "",
            "version": "%d.%d.%d" % sys.version_info[:3],
            "prefix": sys.prefix,
            "base_prefix": sys.base_prefix,
            "argv": argv,
            "directory": directory,
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "forked": forked,
            "path": [entry for entry in sys.path if type(entry) is str],
            "editable": _editable(),
            "pycache_prefix": sys.pycache_prefix or "",
            "flags": {"optimize": sys.flags.optimize, "safe_path": bool(getattr(sys.flags, "safe_path", 0))},
        }
    )


def _editable() -> list[str]:
    """Source folders of editable installs that setuptools' import finders map to."""
    found: list[object] = []
    for name in list(sys.modules):
        if name.startswith("__editable__"):
            mapping = getattr(sys.modules[name], "MAPPING", None)
            found.extend(mapping.values() if isinstance(mapping, dict) else ())
    return [str(path) for path in found]


def libraries() -> list[str]:
    """Shared libraries, locales and devices of GPUs mapped into this process, by proc(5)."""
    found = set()
    for line in _whole("/proc/self/maps").splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[5].startswith("/") and any(part in fields[5] for part in _MAPPED):
            found.add(fields[5])
    return sorted(found)


_MAPPED = (".so", "/locale/", "/dev/nvidia", "/dev/kfd", "/dev/dri/")


def numerics() -> list[dict[str, object]]:
    """What the numerical libraries that the run has loaded say of themselves."""
    found: list[dict[str, object]] = []
    warnings = sys.modules.get("warnings")
    filters = list(warnings.filters) if warnings is not None else []
    if warnings is not None:
        warnings.simplefilter("ignore")  # threadpoolctl warns of mixed OpenMP runtimes
    try:
        threadpoolctl = sys.modules.get("threadpoolctl")
        if threadpoolctl is not None:
            found.extend(threadpoolctl.threadpool_info())
        torch = sys.modules.get("torch")
        if torch is not None:
            capability = getattr(getattr(torch.backends, "cpu", None), "get_cpu_capability", str)()
            found.append(
                {
                    "internal_api": "torch",
                    "user_api": "torch",
                    "version": str(torch.__version__),
                    "architecture": capability,
                    "num_threads": torch.get_num_threads(),
                    "filepath": str(getattr(torch, "__file__", "")),
                }
            )
    finally:
        if warnings is not None:
            warnings.filters[:] = filters
    return found

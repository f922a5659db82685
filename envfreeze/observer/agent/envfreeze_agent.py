"""Runs inside every Python of the watched command and reports what it opens and starts.

Standard library only, Python 3.8 and newer, and only modules that every startup has loaded already. It never
prints, never raises into the user's code, and hides from ``sys.path`` and ``sys.modules``.

Reports go to ``$ENVFREEZE_AGENT/<pid>-<ns>.events``, one JSON value a line, in ASCII (a path's undecodable
bytes are ``\\udcXX``, PEP 383). The first line is an object about the process; the others are
``["r", ns, path]`` (read, or its earlier content matters), ``["w", ns, path]`` (written) and
``["p", ns, program, [argv…]]`` (a program was started); the last, at a regular exit, is an object with
``libraries``, ``numerics`` and ``errors``. ``ns`` is CLOCK_MONOTONIC, which all processes share. A project
file that is about to be overwritten is first copied to ``$ENVFREEZE_AGENT/before/<path in the project>``.
"""

from __future__ import annotations

import atexit
import os
import sys
from _thread import get_ident
from time import monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LARGEST_COPY = 256 << 20
_LOWEST_DESCRIPTOR = 700  # programs expect to be given 3, 4, 5, …
_PASSED_OVER = ("/.envfreeze/", "/.git/", "/__pycache__/")
_OPENS_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_ENCODING = sys.getfilesystemencoding()
_ENCODING_ERRORS = sys.getfilesystemencodeerrors()
_OWN_CODE = {function.__code__.co_filename for function in (lambda: 0, os.makedirs, os.path.dirname)}


class _Reporter:
    """The file that this process reports to; a forked child opens its own at its first report."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.descriptor = -1
        self.identity: tuple[int, int] | None = None
        self.forked = False
        self.header = ""

    def send(self, line: str) -> None:
        if not self._is_mine():
            self._open()
        os.write(self.descriptor, line.encode("ascii") + b"\n")

    def after_fork(self) -> None:
        if self._is_mine():
            os.close(self.descriptor)
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

    def _open(self) -> None:
        path = "%s/%d-%d.events" % (self.folder, os.getpid(), monotonic_ns())
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


def _json(value: Any) -> str:
    """JSON in ASCII; the json module is not loaded at startup, and loading it would show."""
    if isinstance(value, str):
        plain = value.isascii() and value.isprintable() and '"' not in value and "\\" not in value
        return '"' + (value if plain else "".join(map(_escaped, value))) + '"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(_json(str(key)) + ":" + _json(item) for key, item in value.items()) + "}"
    return "%d" % value if isinstance(value, int) else _json(str(value))


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
                return _text(b"".join(parts))
            parts.append(part)
    finally:
        os.close(descriptor)


def _text(path: str | bytes) -> str:
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
    return _json(
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


class _Watcher:
    """The audit hook (PEP 578) and what it remembers."""

    def __init__(self, reporter: _Reporter, projects: list[str]) -> None:
        self.reporter = reporter
        self.projects = projects
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.busy: set[int] = set()
        self.errors, self.error = 0, ""
        self.closed = False
        self.concealing = False
        self.handlers: dict[str, Callable[..., None]] = {
            "os.rename": self.renamed,
            "os.remove": self.removed,
            "os.truncate": self.updated,
            "sqlite3.connect": self.updated,
            "subprocess.Popen": self.started,
            "os.exec": self.started,
            "os.posix_spawn": self.started,
            "os.system": self.shell,
        }

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        try:
            if event == "open":
                path, _, flags = arguments
                # Bytes are not looked up: under python -bb comparing them with text is an error.
                if type(path) is str and path in self.read and not flags & _OPENS_FOR_WRITING:
                    return
                handler: Callable[..., None] = self.opened
            else:
                found = self.handlers.get(event)
                if found is None:
                    if self.concealing:
                        self.conceal()
                    return
                handler = found
            if self.closed:
                return
            thread = get_ident()
            if thread in self.busy:
                return
            self.busy.add(thread)
            try:
                handler(*arguments)
            finally:
                self.busy.discard(thread)
                if self.concealing:
                    self.conceal()
        except Exception as error:
            if _is_the_users(error):
                raise
            self.errors += 1
            self.error = self.error or "%s: %s: %s" % (event, type(error).__name__, error)

    def conceal(self) -> None:
        """Forget our ``sitecustomize``, once its import is over and where the environment has none."""
        self.concealing = False
        sys.modules.pop("sitecustomize", None)

    def absolute(self, path: Any) -> str | None:
        """The path as text from the root on; None for descriptors and in a folder that was deleted."""
        if type(path) is bytes:
            path = _text(path)
        elif type(path) is not str:
            if isinstance(path, int) or not hasattr(path, "__fspath__"):
                return None
            path = _text(path.__fspath__())
        name: str = path
        if name[:1] == "/":
            return name
        try:
            return os.getcwd() + "/" + name
        except OSError:
            return None

    def opened(self, given: Any, mode: Any, flags: int) -> None:
        path = self.absolute(given)
        if path is None:
            return
        if flags & _OPENS_FOR_WRITING:
            if not flags & os.O_TRUNC and not flags & os.O_EXCL:
                self.note_read(path)
            self.note_write(path)
        else:
            self.note_read(path)

    def note_read(self, path: str) -> None:
        if path not in self.read:
            self.read.add(path)
            self.reporter.send('["r",%d,%s]' % (monotonic_ns(), _json(path)))

    def note_write(self, path: str) -> None:
        if path not in self.written:
            self.written.add(path)
            self.reporter.send('["w",%d,%s]' % (monotonic_ns(), _json(path)))
            self.keep(path)

    def updated(self, given: Any, *_: Any) -> None:
        path = self.absolute(given)
        if path is not None:
            self.note_read(path)
            self.note_write(path)

    def removed(self, path: Any, folder: int = -1, *_: Any) -> None:
        if folder == -1:
            self.updated(path)

    def renamed(
        self, source: Any, target: Any, source_folder: int = -1, target_folder: int = -1, *_: Any
    ) -> None:
        if source_folder == -1:
            self.updated(source)
        if target_folder == -1:
            path = self.absolute(target)
            if path is not None:
                self.note_write(path)

    def started(self, program: Any, arguments: Any, *_: Any) -> None:
        if isinstance(arguments, (str, bytes)):
            arguments = [arguments]
        argv = [_text(part)[:4096] for part in list(arguments)[:16] if isinstance(part, (str, bytes))]
        name = _text(program) if isinstance(program, (str, bytes)) else (argv or [str(program)])[0]
        self.reporter.send('["p",%d,%s,%s]' % (monotonic_ns(), _json(name), _json(argv)))

    def shell(self, command: Any, *_: Any) -> None:
        self.started("/bin/sh", ["sh", "-c", command])

    def keep(self, path: str) -> None:
        """Copy a file of the project before it is overwritten for the first time."""
        if "/../" in path or "/./" in path or "//" in path:
            path = os.path.normpath(path)
        for project in self.projects:
            if path.startswith(project + "/"):
                break
        else:
            return
        relative = path[len(project) :]
        if any(part in relative for part in _PASSED_OVER):
            return
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return  # it does not exist yet
        try:
            self._copy(source, self.reporter.folder + "/before" + relative)
        finally:
            os.close(source)

    def _copy(self, source: int, target: str) -> None:
        status = os.fstat(source)
        if status.st_mode & 0o170000 != 0o100000 or status.st_size > _LARGEST_COPY or os.path.lexists(target):
            return
        os.makedirs(os.path.dirname(target), 0o700, True)
        unfinished = "%s/%d-%d.part" % (self.reporter.folder, os.getpid(), monotonic_ns())
        copy = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while True:
                part = os.read(source, 1 << 20)
                if not part:
                    break
                while part:
                    part = part[os.write(copy, part) :]
            os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
            # Of several processes the first wins; each copies before it writes, so that one is whole.
            os.link(unfinished, target)
        except FileExistsError:
            pass
        finally:
            os.close(copy)
            os.unlink(unfinished)

    def finish(self) -> None:
        """At exit: what is loaded by now."""
        try:
            self.closed = True
            try:
                report: dict[str, object] = {"libraries": _libraries(), "numerics": _numerics()}
            except Exception as error:
                self.errors += 1
                self.error = self.error or "exit: %s: %s" % (type(error).__name__, error)
                report = {}
            report["errors"] = self.errors
            report["error"] = self.error
            self.reporter.send(_json(report))
        except Exception:
            pass


def _is_the_users(error: BaseException) -> bool:
    """True for what a signal handler of the program raised while the hook ran: that must go through."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename not in _OWN_CODE


def _libraries() -> list[str]:
    """Shared libraries mapped into this process, by proc(5)."""
    found = set()
    for line in _whole("/proc/self/maps").splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[5].startswith("/") and ".so" in fields[5]:
            found.add(fields[5])
    return sorted(found)


def _numerics() -> list[dict[str, object]]:
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


def start(own_folder: str) -> Callable[[], None] | None:
    """Begin to watch this process; return a function that hides ``sitecustomize``, or None."""
    folder = os.environ.get("ENVFREEZE_AGENT", "")
    if not folder:
        return None
    sys.path[:] = [entry for entry in sys.path if entry != own_folder]
    reporter = _Reporter(folder)
    reporter._open()
    projects = [entry for entry in os.environ.get("ENVFREEZE_PROJECT", "").split("\n") if entry]
    watcher = _Watcher(reporter, projects)
    atexit.register(watcher.finish)
    os.register_at_fork(after_in_child=reporter.after_fork)
    sys.addaudithook(watcher.hook)

    def conceal() -> None:
        watcher.concealing = True

    return conceal

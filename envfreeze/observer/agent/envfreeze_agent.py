"""Runs inside every Python of the watched command and reports what it opens and starts.

Standard library only, Python 3.8 and newer, and only modules that every startup has loaded already. It never
prints, never raises into the user's code, and hides from ``sys.path`` and ``sys.modules``.
What it reports, and in which form, is written in ``envfreeze_agent_report.py``. A file that is about to
be overwritten is first copied to ``$ENVFREEZE_AGENT/before/<path in the project>``, or outside of the project
to ``$ENVFREEZE_AGENT/elsewhere/<absolute path>``.
"""

from __future__ import annotations

import atexit
import os
import sys
from _thread import get_ident

from envfreeze_agent_report import (  # type: ignore[import-not-found,unused-ignore]
    Reporter,
    libraries,
    now,
    numerics,
    shim_is_here,
    to_json,
    to_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LARGEST_COPY = 256 << 20
_LARGEST_COPY_ELSEWHERE = 64 << 20
_SYSTEM = (
    "/proc/", "/sys/", "/dev/", "/run/", "/usr/", "/lib", "/bin/", "/sbin/", "/etc/", "/var/log/",
    "/var/lib/",
)  # fmt: skip
_SHIM_HOLDS = 700
"""Characters of the paths that the shim is told (four bytes each at most; see shim/log.c)."""
_PASSED_OVER = ("/.envfreeze/", "/.git/", "/__pycache__/")
_OPENS_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_OWN_CODE = {function.__code__.co_filename for function in (lambda: 0, to_json, os.makedirs, os.path.dirname)}


class _Watcher:
    """The audit hook (PEP 578) and what it remembers."""

    def __init__(self, reporter: Reporter, projects: list[str]) -> None:
        self.reporter = reporter
        self.projects = projects
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.busy: set[int] = set()
        self.errors, self.error = 0, ""
        self.closed = False
        self.concealing = False
        # What the shim writes down costs a fifth of what this hook needs for the same.
        self.shimmed = shim_is_here and len(reporter.folder) + sum(map(len, projects)) < _SHIM_HOLDS
        self.imports: Any = None
        self.handlers: dict[str, Callable[..., None]] = {
            "os.rename": self.renamed,
            "os.remove": self.removed,
            "os.truncate": self.updated,
            "sqlite3.connect": self.updated,
            "subprocess.Popen": self.started,
            "os.exec": self.started,
            "os.posix_spawn": self.started,
            "os.system": self.shell,
            "import": self.imported,
            "ctypes.dlopen": self.loaded,
        }

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        try:
            if event == "open":
                if self.shimmed:
                    if self.concealing:
                        self.concealing = False
                        self.conceal()
                    return
                path, _, flags = arguments
                # Bytes are not looked up: under python -bb comparing them with text is an error.
                if type(path) is str and path in self.read and not flags & _OPENS_FOR_WRITING:
                    return
                handler: Callable[..., None] = self.opened
            else:
                found = self.handlers.get(event)
                if found is None:
                    if self.concealing:
                        self.concealing = False  # before it can fail: looking at a failure has events too
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
                    self.concealing = False
                    self.conceal()
        except Exception as error:
            if _is_the_users(error):
                raise
            self.errors += 1
            self.error = self.error or "%s: %s: %s" % (event, type(error).__name__, error)

    def conceal(self) -> None:
        """Forget our ``sitecustomize``, once its import is over and where the environment has none."""
        sys.modules.pop("sitecustomize", None)

    def absolute(self, path: Any) -> str | None:
        """The path as text from the root on; None for descriptors and in a folder that was deleted."""
        if type(path) is bytes:
            path = to_text(path)
        elif type(path) is not str:
            if isinstance(path, int) or not hasattr(path, "__fspath__"):
                return None
            path = to_text(path.__fspath__())
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
            self.reporter.send('["r",%d,%s]' % (now(), to_json(path)))

    def note_write(self, path: str) -> None:
        if path not in self.written:
            self.written.add(path)
            self.reporter.send('["w",%d,%s]' % (now(), to_json(path)))
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
        argv = [to_text(part)[:4096] for part in list(arguments)[:16] if isinstance(part, (str, bytes))]
        name = to_text(program) if isinstance(program, (str, bytes)) else (argv or [str(program)])[0]
        self.reporter.send('["p",%d,%s,%s]' % (now(), to_json(name), to_json(argv)))

    def shell(self, command: Any, *_: Any) -> None:
        self.started("/bin/sh", ["sh", "-c", command])

    def imported(self, module: Any, filename: Any = None, *_: Any) -> None:
        """``filename`` is given for compiled modules, which the loader opens out of everybody's sight."""
        if type(filename) is str:
            self.loaded(filename)
        if self.imports is not None:
            self.imports.begun(module)

    def loaded(self, library: Any, *_: Any) -> None:
        """A name without a slash is looked for in the system's folders (dlopen(3))."""
        if type(library) in (str, bytes) and "/" in to_text(library):
            path = self.absolute(library)
            if path is not None:
                self.note_read(path)

    def keep(self, path: str) -> None:
        """Copy a file before it is overwritten for the first time."""
        if "/../" in path or "/./" in path or "//" in path:
            path = os.path.normpath(path)
        relative, place, largest = path, "/elsewhere", _LARGEST_COPY_ELSEWHERE
        for project in self.projects:
            if path.startswith(project + "/"):
                relative, place, largest = path[len(project) :], "/before", _LARGEST_COPY
                break
        else:
            if path.startswith(_SYSTEM):
                return
        if any(part in relative for part in _PASSED_OVER):
            return
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return  # it does not exist yet
        try:
            self._copy(source, self.reporter.folder + place + relative, largest)
        finally:
            os.close(source)

    def _copy(self, source: int, target: str, largest: int) -> None:
        status = os.fstat(source)
        if status.st_mode & 0o170000 != 0o100000 or status.st_size > largest or os.path.lexists(target):
            return
        os.makedirs(os.path.dirname(target), 0o700, True)
        unfinished = "%s/%d-%d.part" % (self.reporter.folder, os.getpid(), now())
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
                report: dict[str, object] = {"libraries": libraries(), "numerics": numerics()}
            except Exception as error:
                self.errors += 1
                self.error = self.error or "exit: %s: %s" % (type(error).__name__, error)
                report = {}
            report["errors"] = self.errors
            report["error"] = self.error
            if self.imports is not None:
                recorder = self.imports.recorder
                report["parameter_errors"], report["parameter_error"] = recorder.errors, recorder.error
            self.reporter.send(to_json(report))
        except Exception:
            pass


def _is_the_users(error: BaseException) -> bool:
    """True for what a signal handler of the program raised while the hook ran: that must go through."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename not in _OWN_CODE


def _load(name: str, path: str) -> Any:
    """A module of the agent that nobody else can see, compiled once a run as the agent itself."""
    from _frozen_importlib_external import SourceFileLoader

    settings = sys.dont_write_bytecode, sys.pycache_prefix
    sys.dont_write_bytecode, sys.pycache_prefix = False, None
    try:
        module = type(sys)(name)
        SourceFileLoader(name, path).exec_module(module)
    finally:
        sys.dont_write_bytecode, sys.pycache_prefix = settings
    return module


def _watch_parameters(watcher: _Watcher, folder: str) -> None:
    """Have the hyperparameters reported too (see ``envfreeze_params.py``)."""
    try:
        parameters = _load("envfreeze_params", folder + "/envfreeze_params.py")
        values = _load("envfreeze_values", folder + "/envfreeze_values.py")
        recorder = parameters.Recorder(watcher.reporter.send, to_json, values, watcher.busy, watcher.projects)
        watcher.imports = parameters.Imports(folder, _load, recorder)
    except Exception as error:
        watcher.errors += 1
        watcher.error = watcher.error or "parameters: %s: %s" % (type(error).__name__, error)


def _put_in_force(folder: str) -> None:
    """Make the calls of the run's determinism profile (see ``envfreeze_settings.py``)."""
    if not os.environ.get("ENVFREEZE_SETTINGS"):
        return
    try:
        _load("envfreeze_settings", folder + "/envfreeze_settings.py").start(folder, _load)
    except Exception:
        pass  # the record then says that nothing was read back


def _tape(folder: str) -> None:
    """Record or play the run's tape in this process, where the shim is not (see ``envfreeze_tape.py``)."""
    if shim_is_here or not os.environ.get("ENVFREEZE_TAPE"):
        return
    try:
        _load("envfreeze_tape", folder + "/envfreeze_tape.py").start(folder, _load)
    except Exception:
        pass  # this process is then on no tape


def start(own_folder: str) -> Callable[[], None] | None:
    """Begin to watch this process; return a function that hides ``sitecustomize``, or None."""
    folder = os.environ.get("ENVFREEZE_AGENT", "")
    _tape(own_folder)
    _put_in_force(own_folder)
    if not folder:
        return None
    sys.path[:] = [entry for entry in sys.path if entry != own_folder]
    reporter = Reporter(folder)
    reporter.open()
    projects = [entry for entry in os.environ.get("ENVFREEZE_PROJECT", "").split("\n") if entry]
    watcher = _Watcher(reporter, projects)
    _watch_parameters(watcher, own_folder)
    atexit.register(watcher.finish)
    os.register_at_fork(after_in_child=reporter.after_fork)
    sys.addaudithook(watcher.hook)

    def conceal() -> None:
        watcher.concealing = True

    return conceal

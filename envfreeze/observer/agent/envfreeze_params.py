"""Watches for the hyperparameters that libraries get, as the run really uses them; part of the agent.

Each ``envfreeze_params_<library>.py`` beside this file knows one library. It is loaded when the program first
imports that library, and names in ``MODULES`` the modules whose loading it waits for, each with a function of
the loaded module and the ``Recorder``. Adding a library is adding a file.

Reports are ``["h", owner, [[name, value, source, origin], …]]`` and ``["e", variable, is set, place]`` (a
variable of the environment was read); see ``records.observation.Parameter`` for the words.
None of it is ever in ``sys.modules`` or on ``sys.path``. Nothing is raised into the program.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType
    from typing import Any

    Rows = Iterable[tuple[str, Any, str, str]]
    """Name, value, source and origin of each parameter."""

MOST = 2001
"""Parameters of one process; the reader keeps one less, and says that there were more."""
MOST_VALUES = 20
"""Different values of one parameter, as a search over a grid has them."""
_PREFIX = "envfreeze_params_"
_NOT_THE_PROJECTS = ("/site-packages/", "/dist-packages/", "/lib/python", "/.envfreeze/")
"""Parts of paths below the project that say that a file is a package's, the interpreter's or the agent's."""
_FARTHEST = 40
"""Frames that are looked through for one of the project's code."""


class Recorder:
    """Takes what is seen, once each, and reports it; what the files for libraries work with."""

    def __init__(
        self,
        send: Callable[[str], None],
        to_json: Callable[[Any], str],
        values: Any,
        busy: set[int],
        projects: list[str],
    ) -> None:
        self.send, self.to_json, self.busy = send, to_json, busy
        self.text: Callable[[Any], str] = values.text
        self.public_name: Callable[[Any], str] = values.public_name
        self.projects = tuple(project + "/" for project in projects)
        self.seen: set[tuple[str, ...]] = set()
        self.counts: dict[tuple[str, str], int] = {}
        self.errors, self.error = 0, ""

    def note(self, owner: str, rows: Rows) -> None:
        """Report the parameters that ``owner`` got; what was reported before is left out."""
        fresh = []
        for name, value, source, origin in rows:
            row = (name[:200], self.text(value), source, origin[:300])
            count = self.counts.get((owner, name), 0)
            if (owner, *row[:3]) in self.seen or count >= MOST_VALUES or len(self.seen) >= MOST:
                continue
            self.seen.add((owner, *row[:3]))
            self.counts[(owner, name)] = count + 1
            fresh.append(row)
        if fresh:
            self.send('["h",%s,%s]' % (self.to_json(owner[:300]), self.to_json(fresh)))

    def compared(
        self, values: Iterable[tuple[str, Any]], defaults: dict[str, Any], library: str, place: str
    ) -> Rows:
        """Rows of values: those that are as the signature's ``defaults`` have ``library`` as their origin."""
        for name, value in values:
            is_default = name in defaults and (
                value is defaults[name] or self.text(value) == self.text(defaults[name])
            )
            yield (name, value, "default", library) if is_default else (name, value, "given", place)

    def watched(self, observe: Callable[..., None], *arguments: Any, **named: Any) -> None:
        """Call ``observe``; its failures are counted, and what it does is not taken for the program's."""
        thread = get_ident()
        if thread in self.busy:
            return
        self.busy.add(thread)
        try:
            observe(*arguments, **named)
        except Exception as error:
            if _of_a_signal_handler(error):
                raise
            self.failed(observe.__module__, error)
        finally:
            self.busy.discard(thread)

    def failed(self, where: str, error: Exception) -> None:
        self.errors += 1
        self.error = self.error or "%s: %s: %s" % (where, type(error).__name__, str(error)[:300])

    def on_access(self, kind: type, name: str, observe: Callable[[Any, FrameType], None]) -> None:
        """Have ``observe(instance, frame)`` called whenever the method is taken from an instance.

        The method itself runs without any frame of ours, so tracebacks stay as they were.
        """
        function = vars(kind).get(name)
        if function is not None:
            setattr(kind, name, _Accessed(function, self, observe))

    def before(self, holder: Any, name: str, observe: Callable[..., None]) -> None:
        """Have ``observe(*arguments)`` called before each call of a function."""
        original = vars(holder).get(name)
        if original is None:
            return

        def called(*arguments: Any, **named: Any) -> Any:
            self.watched(observe, *arguments, **named)
            return original(*arguments, **named)

        setattr(holder, name, _dressed(called, original))

    def after(self, holder: Any, name: str, observe: Callable[..., None]) -> None:
        """Have ``observe(result, *arguments)`` called after each call of a function that returned."""
        original = vars(holder).get(name)
        if original is None:
            return
        is_static = isinstance(original, staticmethod)
        function = original.__func__ if is_static else original

        def called(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named)
            self.watched(observe, result, *arguments, **named)
            return result

        dressed = _dressed(called, function)
        setattr(holder, name, staticmethod(dressed) if is_static else dressed)

    def is_of_project(self, path: str) -> bool:
        """True for a file of the project that is no installed package."""
        if not path.startswith("/"):
            return bool(path) and path[0] != "<"
        return path.startswith(self.projects) and not any(part in path for part in _NOT_THE_PROJECTS)

    def place(self, frame: FrameType | None) -> str:
        """``train.py:12`` for the nearest caller in the project's code; empty when there is none."""
        for _ in range(_FARTHEST):
            if frame is None:
                return ""
            path = frame.f_code.co_filename
            if self.is_of_project(path):
                return "%s:%d" % (self.relative(path), frame.f_lineno)
            frame = frame.f_back
        return ""

    def relative(self, path: str) -> str:
        """The path from the project folder on."""
        for project in self.projects:
            if path.startswith(project):
                return path[len(project) :]
        return path

    @staticmethod
    def version(module: str, name: str = "") -> str:
        """``scikit-learn 1.5.0``: the name and the version of a loaded library."""
        found = getattr(sys.modules.get(module), "__version__", "")
        return ("%s %s" % (name or module, found)).strip()

    @staticmethod
    def defaults(function: Any) -> dict[str, Any]:
        """The parameters of a function that have defaults, each with it."""
        while hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        code = getattr(function, "__code__", None)
        if code is None:
            return {}
        given = function.__defaults__ or ()
        names = code.co_varnames[: code.co_argcount]
        return {**dict(zip(names[len(names) - len(given) :], given)), **(function.__kwdefaults__ or {})}

    @staticmethod
    def names(function: Any) -> list[str]:
        """The names of a method's parameters, without ``self``."""
        while hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        code = getattr(function, "__code__", None)
        return list(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]) if code else []


class _Accessed:
    """Stands for a method in its class."""

    def __init__(self, function: Any, recorder: Recorder, observe: Callable[[Any, FrameType], None]) -> None:
        self.function, self.recorder, self.observe = function, recorder, observe

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is not None:
            self.recorder.watched(self.observe, instance, sys._getframe(1))
        return self.function.__get__(instance, owner)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["function"], name)

    def __reduce__(self) -> Any:
        """Pickled as the method: nobody else has this class."""
        from operator import itemgetter

        return itemgetter(0), ((self.function,),)


def _dressed(called: Any, original: Any) -> Any:
    for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
        if hasattr(original, name):
            setattr(called, name, getattr(original, name))
    called.__dict__.update(getattr(original, "__dict__", {}))
    called.__wrapped__ = original
    return called


def _of_a_signal_handler(error: BaseException) -> bool:
    """True for what a signal handler of the program raised meanwhile: a time limit, which must go through."""
    signals: Any = sys.modules.get("_signal")
    if signals is None:
        return False
    handlers = {getattr(signals.getsignal(number), "__code__", None) for number in range(1, 65)}
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False


class Imports:
    """Loads the file for a library at its first import, and calls it back when its modules are loaded."""

    def __init__(self, folder: str, load: Callable[[str, str], Any], recorder: Recorder) -> None:
        self.folder, self.load, self.recorder = folder, load, recorder
        names = [name[len(_PREFIX) : -3] for name in os.listdir(folder) if name.startswith(_PREFIX)]
        self.libraries = set(names)
        self.waiting: dict[str, Callable[[Any, Recorder], None]] = {}
        self.finder = _Finder(self)
        for name in names:
            if name in sys.modules:
                self.begun(name)

    def begun(self, module: str) -> None:
        """An import statement names ``module``, and it is not loaded yet."""
        library = module.partition(".")[0]
        if library not in self.libraries:
            return
        self.libraries.discard(library)
        try:
            name = _PREFIX + library
            found = self.load(name, "%s/%s.py" % (self.folder, name)).MODULES
            for name, watch in found.items():
                if name in sys.modules:
                    self.loaded(watch, sys.modules[name])
                else:
                    self.waiting[name] = watch
            if self.waiting and self.finder not in sys.meta_path:
                sys.meta_path.insert(0, self.finder)
        except Exception as error:
            self.recorder.failed(library, error)

    def loaded(self, watch: Callable[[Any, Recorder], None], module: Any) -> None:
        try:
            watch(module, self.recorder)
        except Exception as error:
            self.recorder.failed(str(getattr(module, "__name__", "")), error)
        if not self.waiting and self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)

    def attach(self, loader: Any, watch: Callable[[Any, Recorder], None]) -> None:
        """Have ``watch`` called when this loader has loaded its module."""
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            vars(loader).pop("exec_module", None)
            execute(module)
            self.loaded(watch, module)

        exec_module.__code__ = exec_module.__code__.replace(co_filename=_IMPORT_FILE)
        loader.exec_module = exec_module


_IMPORT_FILE = "<frozen importlib._bootstrap>"
"""Frames with this file name are left out of the tracebacks of failed imports, by ``Python/import.c``."""


class _Finder:
    """First in ``sys.meta_path`` while a library that is being loaded has modules to wait for (PEP 451)."""

    def __init__(self, imports: Imports) -> None:
        self.imports = imports

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        watch = self.imports.waiting.pop(name, None)
        if watch is None:
            return None
        for finder in list(sys.meta_path):
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    self.attach(spec, watch)
                    return spec
        return None

    def attach(self, spec: Any, watch: Callable[[Any, Recorder], None]) -> None:
        try:
            if spec.loader is not None and type(spec.loader).__name__ != "_LazyLoader":
                self.imports.attach(spec.loader, watch)
        except Exception as error:
            self.imports.recorder.failed(str(spec.name), error)


_Finder.find_spec.__code__ = _Finder.find_spec.__code__.replace(co_filename=_IMPORT_FILE)

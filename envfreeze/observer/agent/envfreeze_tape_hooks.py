"""Puts functions of the tape in the place of a module's own; part of the agent, see ``envfreeze_tape.py``.

``envfreeze_taped_<module>.py`` has ``attach(module, tape, put)``, which is called when the module is loaded.
``put(holder, name, function)`` replaces a function by another, whose first argument is the original;
``put.quick`` by one that is called without a further step.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PREFIX = "envfreeze_taped_"
_IMPORT_FILE = "<frozen importlib._bootstrap>"
"""Frames with this file name are left out of the tracebacks of failed imports, by ``Python/import.c``."""


def replaced(original: Any, call: Callable[..., Any], holder: Any) -> Any:
    """An object that stands for a built-in function: called, pickled and shown like it.

    A function of Python would become a method where a class has it as an attribute: ``clock = time.time``.

    Args:
        call: its first argument is the object itself.
        holder: the module that it is put into.
    """
    name = original.__name__

    def __repr__(self: Any) -> str:
        return repr(original)

    def __reduce__(self: Any) -> str:
        return str(name)

    kind = type("builtin_function_or_method", (), {
        "__slots__": ("__dict__", "__weakref__"), "__call__": call, "__repr__": __repr__,
        "__reduce__": __reduce__, "__module__": "builtins",
    })  # fmt: skip
    made = kind()
    for attribute in ("__name__", "__qualname__", "__doc__", "__module__", "__self__", "__text_signature__"):
        if hasattr(original, attribute):
            made.__dict__[attribute] = getattr(original, attribute)
    made.__dict__["__wrapped__"] = original
    made.__dict__["__module__"] = holder.__name__  # where pickle finds it: os, and not posix
    return made


def put(holder: Any, name: str, function: Callable[..., Any]) -> None:
    """Replace ``holder.name`` by what calls ``function(original, …)``; nothing when there is no such name."""
    original = vars(holder).get(name)
    if original is None:
        return

    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        return function(original, *arguments, **named)

    setattr(holder, name, replaced(original, call, holder))


def put_method(holder: Any, name: str, function: Callable[..., Any]) -> None:
    """The same with one call less, for what is called often: the first argument is the object that is put."""
    original = vars(holder).get(name)
    if original is not None:
        setattr(holder, name, replaced(original, function, holder))


put.quick = put_method  # type: ignore[attr-defined]


class Waiting:
    """First in ``sys.meta_path``: calls back when modules are loaded (PEP 451)."""

    def __init__(self, folder: str, load: Callable[[str, str], Any], tape: Any) -> None:
        self.folder, self.load, self.tape = folder, load, tape
        names = (name for name in os.listdir(folder) if name.startswith(_PREFIX) and name.endswith(".py"))
        self.modules = {name[len(_PREFIX) : -3].replace("__", ".") for name in names}
        self.busy: set[str] = set()

    def loaded(self, name: str, module: Any) -> None:
        self.modules.discard(name)
        try:
            file = _PREFIX + name.replace(".", "__")
            path = "%s/%s.py" % (self.folder, file)
            self.tape.own_files.add(path)
            self.load(file, path).attach(module, self.tape, put)
        except Exception as error:
            self.tape.failed(error)
        if not self.modules and self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self.modules or name in self.busy:
            return None
        self.busy.add(name)
        try:
            for finder in list(sys.meta_path):
                if finder is not self and hasattr(finder, "find_spec"):
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        try:
                            self.attach(spec)
                        except Exception as error:
                            self.tape.failed(error)
                        return spec
            return None
        finally:
            self.busy.discard(name)

    def attach(self, spec: Any) -> None:
        loader = spec.loader
        if loader is None or type(loader).__name__ == "_LazyLoader":
            return
        if not hasattr(loader, "__dict__") or isinstance(loader, type):
            spec.loader = Loader(loader, spec, self)
            return
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            vars(loader).pop("exec_module", None)
            execute(module)
            self.loaded(spec.name, sys.modules.get(spec.name, module))

        exec_module.__code__ = exec_module.__code__.replace(co_filename=_IMPORT_FILE)
        loader.exec_module = exec_module


class Loader:
    """Stands for a loader that is a class, as that of built-in modules, while a module is loaded."""

    def __init__(self, loader: Any, spec: Any, waiting: Waiting) -> None:
        self.loader, self.spec, self.waiting = loader, spec, waiting

    def create_module(self, spec: Any) -> Any:
        spec.loader = self.loader
        try:
            return self.loader.create_module(spec)
        finally:
            spec.loader = self

    def exec_module(self, module: Any) -> None:
        self.spec.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.waiting.loaded(self.spec.name, sys.modules.get(self.spec.name, module))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["loader"], name)


for _function in (Waiting.find_spec, Loader.create_module, Loader.exec_module):
    _function.__code__ = _function.__code__.replace(co_filename=_IMPORT_FILE)


def start(folder: str, load: Callable[[str, str], Any], tape: Any) -> None:
    """Attach to what is loaded already, and wait for the rest."""
    waiting = Waiting(folder, load, tape)
    for name in sorted(waiting.modules):
        module = sys.modules.get(name)
        if module is not None:
            waiting.loaded(name, module)
    if waiting.modules:
        sys.meta_path.insert(0, waiting)

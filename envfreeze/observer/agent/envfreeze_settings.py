"""Makes the calls of a determinism profile right after the import of their library; part of the agent.

``$ENVFREEZE_SETTINGS`` is a file with a line a setting, fields separated by tabs: ``call``, a name of the
vocabulary in ``envfreeze_settings_calls.py``, argument; or ``variable``, name, value. Nothing in it is ever
evaluated: what a call does is written there, and an unknown name is reported and left out.

What came of it is appended to ``settings`` in the folder ``$ENVFREEZE_SETTINGS_NOTES``, a line a fact:
process, kind, name, ``yes`` or ``no``, what was found. Kinds are ``call``, ``variable``, ``read`` (what a
library says of itself at the end), ``loaded`` and ``warned``. Standard library only, Python 3.8 and newer;
never raises.
"""

from __future__ import annotations

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MOST_LINES = 400
"""Of one process."""
_IMPORT_FILE = "<frozen importlib._bootstrap>"
"""Frames with this file name are left out of the tracebacks of failed imports, by ``Python/import.c``."""


class Settings:
    """The settings of this process, and the file that their fate is written to."""

    def __init__(self, calls: Any, text: str, notes: str) -> None:
        self.calls, self.notes, self.lines = calls, notes, 0
        self.waiting: dict[str, list[tuple[str, str]]] = {"torch": []}  # for its warnings in any case
        self.variables: dict[str, str] = {}
        self.made: list[tuple[str, str]] = []
        self.finder = _Finder(self)
        for line in text.splitlines():
            kind, _, rest = line.partition("\t")
            name, _, value = rest.partition("\t")
            if kind == "variable":
                self.variables[name] = value
            elif kind == "call" and name in calls.CALLS:
                self.waiting.setdefault(calls.CALLS[name].module, []).append((name, value))
            elif kind == "call":
                self.say("call", name, "no", "this version of envfreeze does not know it")

    def say(self, kind: str, name: str, state: str, found: object) -> None:
        """Append one line; short enough that no other process's comes into it (write(2), O_APPEND)."""
        if self.lines >= _MOST_LINES:
            return
        self.lines += 1
        text = str(found).replace("\t", " ").replace("\n", " ")[:500]
        line = "%d\t%s\t%s\t%s\t%s\n" % (os.getpid(), kind, name, state, text)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.notes + "/settings", flags, 0o666)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)

    def start(self) -> None:
        for name, value in self.variables.items():
            found = os.environ.get(name)
            self.say(
                "variable", name, "yes" if found == value else "no", "not set" if found is None else found
            )
        for module in list(self.waiting):
            if module in sys.modules:
                self.loaded(module)
        if self.waiting:
            sys.meta_path.insert(0, self.finder)
        atexit.register(self.finish)

    def loaded(self, module: str) -> None:
        """Make the calls that waited for this module."""
        for name, value in self.waiting.pop(module, []):
            call = self.calls.CALLS[name]
            try:
                call.make(sys.modules[module], value)
                self.made.append((name, value))
                self._read_back(name, value)
            except Exception as error:
                self._quietly(name, "no", "%s: %s" % (type(error).__name__, error))
        if not self.waiting and self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)
        if module == "torch":
            self.calls.listen(lambda text: self._quietly("", "", text, kind="warned"))

    def _read_back(self, name: str, value: str) -> None:
        call = self.calls.CALLS[name]
        found = call.read(sys.modules[call.module], value)
        if found is None:  # nothing can be asked: that it returned is all there is to know
            self.say("call", name, "yes", "called")
        else:
            self.say("call", name, "yes" if found == value else "no", found)

    def _quietly(self, name: str, state: str, found: str, kind: str = "call") -> None:
        try:
            self.say(kind, name, state, found)
        except Exception:
            pass

    def finish(self) -> None:
        """At exit: what the libraries say now; the program may have changed it meanwhile."""
        try:
            for name, value in self.made:
                call = self.calls.CALLS[name]
                found = call.read(sys.modules.get(call.module), value)
                if found is not None and found != value:
                    self.say("call", name, "no", "%s at the end" % found)
            for name, state, found in self.calls.in_force(self.variables):
                self.say("read", name, state, found)
            self.say("loaded", "", "", " ".join(name for name in self.calls.LIBRARIES if name in sys.modules))
        except Exception as error:
            self._quietly("the end", "no", "%s: %s" % (type(error).__name__, error))


class _Finder:
    """First in ``sys.meta_path`` while modules are waited for (PEP 451)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.busy: set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self.settings.waiting or name in self.busy:
            return None
        self.busy.add(name)
        try:
            for finder in list(sys.meta_path):
                if finder is not self and hasattr(finder, "find_spec"):
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        self.attach(spec)
                        return spec
            return None
        finally:
            self.busy.discard(name)

    def attach(self, spec: Any) -> None:
        try:
            loader = spec.loader
            if loader is None or type(loader).__name__ == "_LazyLoader":
                return
            execute = loader.exec_module

            def exec_module(module: Any) -> None:
                vars(loader).pop("exec_module", None)
                execute(module)
                self.settings.loaded(spec.name)

            exec_module.__code__ = exec_module.__code__.replace(co_filename=_IMPORT_FILE)
            loader.exec_module = exec_module
        except Exception as error:
            self.settings._quietly(str(spec.name), "no", "%s: %s" % (type(error).__name__, error))


_Finder.find_spec.__code__ = _Finder.find_spec.__code__.replace(co_filename=_IMPORT_FILE)


def start(folder: str, load: Callable[[str, str], Any]) -> None:
    """Read the settings of the run and put them in force in this process; without any does nothing.

    Args:
        folder: where the agent's files lie.
        load: imports a file without a trace in ``sys.modules``.
    """
    path, notes = os.environ.get("ENVFREEZE_SETTINGS", ""), os.environ.get("ENVFREEZE_SETTINGS_NOTES", "")
    if not path or not notes:
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(descriptor, 1 << 16).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
    calls = load("envfreeze_settings_calls", folder + "/envfreeze_settings_calls.py")
    Settings(calls, text, notes).start()

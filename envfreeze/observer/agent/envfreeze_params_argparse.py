"""argparse: every option and argument of each parser with its value.

``ArgumentParser.parse_known_args`` is what ``parse_args`` and subcommands go through.
Source: documentation of the argparse module; ``Lib/argparse.py`` of Python 3.8 to 3.14.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]

_TOOLS = ("joblib", "loky", "multiprocessing", "ipykernel", "ipykernel_launcher", "IPython", "jupyter_core",
          "jupyter_client", "nbconvert", "traitlets", "pip", "setuptools", "fire", "hydra")  # fmt: skip
"""Packages that parse arguments of their own, such as the descriptors of a pool's worker."""


def watch(module: Any, recorder: Recorder) -> None:
    places: dict[int, dict[int, str]] = {}
    suppress = module.SUPPRESS

    def adding(container: Any, frame: FrameType) -> None:
        # The action that is about to be added goes to the end of this list, which groups share with parsers.
        actions = container._actions
        if len(places) < 1000:
            places.setdefault(id(actions), {})[len(actions)] = _place(frame, recorder)

    def parsed(result: Any, parser: Any, args: Any = None, namespace: Any = None) -> None:
        if not _is_a_tools(parser, sys._getframe(2)):
            words = [str(word) for word in (sys.argv[1:] if args is None else args)]
            recorder.note("argparse " + _program(parser.prog), rows(parser, words, vars(result[0])))

    def rows(parser: Any, words: list[str], values: dict[str, Any]) -> Iterator[tuple[str, Any, str, str]]:
        known: dict[int, str] = places.get(id(parser._actions), {})
        said: set[str] = set()
        for index, action in enumerate(parser._actions):
            if action.dest == suppress or action.dest not in values:
                continue
            value = values[action.dest]
            how = _given(action, words, value, recorder)
            if not how and any(
                other is not action and other.dest == action.dest and _given(other, words, value, recorder)
                for other in parser._actions
            ):
                continue  # --flag and --no-flag of one destination: the one that was given speaks
            said.add(action.dest)
            if how:
                yield action.dest, value, "given", how
            else:
                yield action.dest, value, "default", known.get(index) or "default"
        for name in parser._defaults:
            if name not in said and name in values:
                yield name, values[name], "default", "set_defaults"

    recorder.on_access(module._ActionsContainer, "add_argument", adding)
    recorder.after(module.ArgumentParser, "parse_known_args", parsed)


def _place(frame: FrameType, recorder: Recorder) -> str:
    """``default in train.py:12`` for the project's code, ``default of lightning 2.4.0`` for a library's."""
    if recorder.is_of_project(frame.f_code.co_filename):
        return "default in %s" % recorder.place(frame)
    library = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return "default of %s" % recorder.version(library) if library else "default"


def _given(action: Any, words: list[str], value: Any, recorder: Recorder) -> str:
    """How it stands on the command line; empty when it does not."""
    for option in action.option_strings:
        for word in words:
            if word == "--":
                break
            if word.startswith("--") and len(word) > 2:
                # argparse lets options be abbreviated.
                name = str(word).split("=", 1)[0]
                if name == option or (len(name) > 3 and str(option).startswith(name)):
                    return str(option)
            elif word == option or (len(option) == 2 and option[0] == "-" and word.startswith(option)):
                return str(option)
    if recorder.text(value) == recorder.text(action.default):
        return ""
    if not action.option_strings:
        return "argument" if words else ""
    # A default that is text goes through the option's type: that is no sign of being given.
    return "" if isinstance(action.default, str) else "the program"


def _program(name: Any) -> str:
    """The name of the program, the same in every version: up to 3.13 it is that of the file, and 3.14 says
    ``python3 -m package.module`` of a module."""
    words = str(name).split()
    if words and words[0].startswith("python") and len(words) > 1:
        words = [sys.argv[0], *words[3:]] if words[1] == "-m" and len(words) > 2 else words[1:]
    return " ".join([os.path.basename(words[0]), *words[1:]]) if words else "?"


def _is_a_tools(parser: Any, frame: FrameType | None) -> bool:
    while frame is not None and frame.f_globals.get("__name__") in ("argparse", "envfreeze_params"):
        frame = frame.f_back
    if frame is None:
        return False
    spec = frame.f_globals.get("__spec__")  # of a module run by -m: its own name
    name = getattr(spec, "name", None) or frame.f_globals.get("__name__")
    return str(name).partition(".")[0] in _TOOLS


MODULES = {"argparse": watch}

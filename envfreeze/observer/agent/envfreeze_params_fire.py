"""Python Fire: the arguments that it binds to each function or class it calls.

``fire.core._MakeParseFn(function, metadata)`` returns what turns words into ``((positional, named), …)``.
Source: ``fire/core.py`` of Fire 0.1 to 0.7.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]


def watch(module: Any, recorder: Recorder) -> None:
    make = module._MakeParseFn

    def make_parse_function(function: Any, *arguments: Any, **named: Any) -> Any:
        parse = make(function, *arguments, **named)

        def parse_and_tell(words: Any) -> Any:
            result = parse(words)
            recorder.watched(parsed, function, list(words), result)
            return result

        return parse_and_tell

    def parsed(function: Any, words: list[str], result: Any) -> None:
        positional, named = result[0]
        recorder.note("fire " + recorder.public_name(function), rows(function, words, positional, named))

    def rows(
        function: Any, words: list[str], positional: Any, named: Any
    ) -> Iterator[tuple[str, Any, str, str]]:
        if isinstance(function, type):
            function = vars(function).get("__init__", function)
        function = getattr(function, "__func__", function)
        defaults, names = recorder.defaults(function), _names(function)
        options = {word.split("=", 1)[0].lstrip("-").replace("-", "_") for word in words if word[:1] == "-"}
        values = [*zip(names, positional), *named.items()]
        values += [("*%d" % index, value) for index, value in enumerate(positional[len(names) :])]
        for name, value in values:
            given = name in options or name[:1] in options
            if given or name not in defaults or recorder.text(value) != recorder.text(defaults[name]):
                yield name, value, "given", "--" + name if given else "argument"
            else:
                yield name, value, "default", _home(function, recorder)

    module._MakeParseFn = make_parse_function


def _names(function: Any) -> list[str]:
    """Names of positional parameters, without that of the instance."""
    code = getattr(function, "__code__", None)
    names = list(code.co_varnames[: code.co_argcount]) if code else []
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def _home(function: Any, recorder: Recorder) -> str:
    code = getattr(function, "__code__", None)
    if code is None or not recorder.is_of_project(code.co_filename):
        return "default"
    return "default in %s:%d" % (recorder.relative(code.co_filename), code.co_firstlineno)


MODULES = {"fire.core": watch}

"""click (and Typer, which is made of it): the parameters of each command that is invoked.

A context is entered (``with``) once more after its parameters are there and before the command is invoked.
Source: click's API documentation, ``Context.params`` and ``Context.get_parameter_source`` (since 8.0).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]

_SOURCES = {
    "COMMANDLINE": "given",
    "PROMPT": "given",
    "ENVIRONMENT": "environment",
    "DEFAULT_MAP": "file",
    "DEFAULT": "default",
}
"""Names of ``click.core.ParameterSource`` in our words."""


def watch(module: Any, recorder: Recorder) -> None:
    def entered(context: Any, frame: FrameType) -> None:
        if context.params and not context.resilient_parsing:
            recorder.note("click " + str(context.command_path), rows(context))

    def rows(context: Any) -> Iterator[tuple[str, Any, str, str]]:
        declared = {parameter.name: parameter for parameter in context.command.params}
        for name, value in list(context.params.items()):
            parameter = declared.get(name)
            if parameter is None:
                continue
            source = _source(context, name, value, parameter, recorder)
            if getattr(parameter, "hide_input", False):
                value = "(hidden input)"
            yield name, value, source, _origin(source, parameter, context, recorder)

    recorder.on_access(module.Context, "__enter__", entered)


def _source(context: Any, name: str, value: Any, parameter: Any, recorder: Recorder) -> str:
    asked = getattr(context, "get_parameter_source", None)
    if asked is None:  # click 7
        return "default" if recorder.text(value) == recorder.text(parameter.default) else "given"
    return _SOURCES.get(getattr(asked(name), "name", ""), "default")


def _origin(source: str, parameter: Any, context: Any, recorder: Recorder) -> str:
    options = [str(option) for option in parameter.opts]
    if source == "given":
        return next((option for option in options if option.startswith("--")), options[0] if options else "")
    if source == "environment":
        variables = parameter.envvar or getattr(context, "auto_envvar_prefix", None) or ""
        return variables if isinstance(variables, str) else ", ".join(variables)
    function = context.command.callback
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    if source == "default" and code is not None and recorder.is_of_project(code.co_filename):
        return "default in %s:%d" % (recorder.relative(code.co_filename), code.co_firstlineno)
    return source


MODULES = {"click.core": watch}

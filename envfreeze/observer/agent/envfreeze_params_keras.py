"""Keras 2 and 3: how a model was compiled, and the arguments of ``fit``.

``fit`` first asks its model whether it is compiled (``_assert_compile_called``, in Keras 2
``_assert_compile_was_called``); the caller of that has the arguments as its local variables.
Source: Keras' API documentation; ``keras/src/trainers/trainer.py`` of 3.x and ``keras/engine/training.py`` of
2.x.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]

_DATA = ("self", "x", "y", "validation_data", "sample_weight")
_COMPILED = ("loss", "loss_weights", "_loss_weights", "metrics", "run_eagerly", "steps_per_execution",
             "jit_compile", "auto_scale_loss")  # fmt: skip


def watch(module: Any, recorder: Recorder) -> None:
    def asked(model: Any, frame: FrameType) -> None:
        if frame.f_code.co_name != "fit":
            return
        place, library = recorder.place(frame), recorder.version("keras")
        fit = getattr(type(model), "fit", None)
        names = [name for name in recorder.names(fit) if name not in _DATA]
        here = frame.f_locals
        values = [(name, here[name]) for name in names if name in here]
        owner = "model " + recorder.public_name(type(model))
        recorder.note(owner + ".fit", recorder.compared(values, recorder.defaults(fit), library, place))
        recorder.note(owner + ".compile", _compiled(model, place))
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None:
            settings = list(optimizer.get_config().items())
            defaults = recorder.defaults(type(optimizer).__init__)
            recorder.note(
                recorder.public_name(type(optimizer)), recorder.compared(settings, defaults, library, place)
            )
        if getattr(model, "built", False):
            recorder.note(owner, [("parameters", model.count_params(), "given", place)])

    kind = getattr(module, "Trainer", None) or module.Model
    for name in ("_assert_compile_called", "_assert_compile_was_called"):
        recorder.on_access(kind, name, asked)


def _compiled(model: Any, place: str) -> Iterator[tuple[str, Any, str, str]]:
    # What compile got, not the objects that it made of it.
    configuration = getattr(getattr(model, "_compile_config", None), "config", None)
    for name in _COMPILED:
        value = configuration.get(name) if isinstance(configuration, dict) else vars(model).get(name)
        if value is not None:
            yield name.lstrip("_"), value, "given", place


MODULES = {
    "keras.src.trainers.trainer": watch,
    "keras.src.engine.training": watch,
    "keras.engine.training": watch,
}

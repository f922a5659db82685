"""PyTorch: optimizers, learning-rate schedulers, data loaders, and the model that an optimizer trains.

Source: PyTorch's documentation of ``torch.optim``, ``torch.utils.data.DataLoader`` and
``torch.nn.modules.module.register_module_*_registration_hook`` (since 2.0), and their code in 1.8 to 2.13.
Nothing is put where ``torch.compile`` could meet it.
"""

from __future__ import annotations

import sys
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]

_LOADER = ("batch_size", "num_workers", "drop_last", "pin_memory", "timeout", "prefetch_factor",
           "persistent_workers", "multiprocessing_context")  # fmt: skip
_MOST_MODULES = 200_000

_modules: dict[int, Any] = {}
"""Weak references to all modules with parameters or children, by id."""


def optimizers(module: Any, recorder: Recorder) -> None:
    def added(_: None, optimizer: Any, *__: Any, **___: Any) -> None:
        kind, number = type(optimizer), len(optimizer.param_groups) - 1
        group = optimizer.param_groups[number]
        values = {name: value for name, value in group.items() if name not in ("params", "param_names")}
        if number:  # of further groups what differs from the first
            first = optimizer.param_groups[0]
            values = {
                "%s (group %d)" % (name, number): value
                for name, value in values.items()
                if recorder.text(value) != recorder.text(first.get(name))
            }
        place = recorder.place(sys._getframe(1))
        defaults, library = recorder.defaults(kind.__init__), recorder.version("torch")
        rows = recorder.compared(values.items(), defaults, library, place)
        recorder.note(recorder.public_name(kind), rows)
        _note_models({id(item) for item in group["params"]}, recorder, place)

    recorder.after(module.Optimizer, "add_param_group", added)


def schedulers(module: Any, recorder: Recorder) -> None:
    def ready(scheduler: Any, frame: FrameType) -> None:
        kind = type(scheduler)
        have = vars(scheduler)
        names = [name for name in recorder.names(kind.__init__) if name in have and name != "optimizer"]
        rows = recorder.compared(
            [(name, have[name]) for name in names],
            recorder.defaults(kind.__init__),
            recorder.version("torch"),
            recorder.place(frame),
        )
        recorder.note(recorder.public_name(kind), rows)

    base = getattr(module, "LRScheduler", None) or module._LRScheduler
    recorder.on_access(base, "_initial_step", ready)
    recorder.on_access(module.ReduceLROnPlateau, "_reset", ready)


def loaders(module: Any, recorder: Recorder) -> None:
    def iterated(loader: Any, frame: FrameType) -> None:
        kind = type(loader)
        place, library = recorder.place(frame), recorder.version("torch")
        values = [(name, getattr(loader, name)) for name in _LOADER if hasattr(loader, name)]
        defaults = recorder.defaults(kind.__init__)
        if loader.num_workers and defaults.get("prefetch_factor", 2) is None:
            defaults["prefetch_factor"] = 2  # what None means with workers
        rows = list(recorder.compared(values, defaults, library, place))
        sampler = type(loader.sampler)
        shuffles = sampler.__name__ == "RandomSampler"
        rows.append(("shuffle", shuffles, "given" if shuffles else "default", place if shuffles else library))
        rows.append(("dataset", type(loader.dataset), "given", place))
        if sampler.__name__ not in ("RandomSampler", "SequentialSampler"):
            rows.append(("sampler", sampler, "given", place))
        recorder.note(recorder.public_name(kind), rows)

    recorder.on_access(module.DataLoader, "__iter__", iterated)


def models(module: Any, recorder: Recorder) -> None:
    def registered(owner: Any, name: str, part: Any) -> None:
        if len(_modules) < _MOST_MODULES:
            key = id(owner)
            if key not in _modules:
                _modules[key] = ref(owner, lambda _: _modules.pop(key, None))

    for kind in ("module", "parameter"):
        register = getattr(module, "register_module_%s_registration_hook" % kind, None)
        if register is not None:  # since 2.0
            register(registered)


def _note_models(trained: set[int], recorder: Recorder, place: str) -> None:
    """Report the outermost modules that hold any of the parameters that an optimizer was given."""
    alive = [module for module in [get() for get in list(_modules.values())] if module is not None]
    inner = {id(child) for module in alive for child in module._modules.values()}
    for module in alive:
        if id(module) in inner:
            continue
        tensors = dict(_tensors(module, "", set()))
        if not any(id(tensor) in trained for tensor in tensors.values()):
            continue
        counts = [(tensor.numel(), tensor.requires_grad) for tensor in tensors.values()]
        shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
        rows = [
            ("parameters", sum(count for count, _ in counts), "given", place),
            ("trainable parameters", sum(count for count, grad in counts if grad), "given", place),
            ("layers", _layers(module, recorder), "given", place),
            ("shapes", shapes, "given", place),
        ]
        recorder.note("model " + recorder.public_name(type(module)), rows)


def _tensors(module: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """All parameters by dotted name, each once."""
    for name, tensor in module._parameters.items():
        if tensor is not None and id(tensor) not in seen:
            seen.add(id(tensor))
            yield prefix + name, tensor
    for name, child in module._modules.items():
        if child is not None:
            yield from _tensors(child, "%s%s." % (prefix, name), seen)


def _layers(module: Any, recorder: Recorder) -> dict[str, Any]:
    """Name of each child with its class; deeper ones inside."""
    return {
        name: (_layers(child, recorder) if child._modules else recorder.public_name(type(child)))
        for name, child in module._modules.items()
        if child is not None
    }


MODULES = {
    "torch.nn.modules.module": models,
    "torch.optim.optimizer": optimizers,
    "torch.optim.lr_scheduler": schedulers,
    "torch.utils.data.dataloader": loaders,
}

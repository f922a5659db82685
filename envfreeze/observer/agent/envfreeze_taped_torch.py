"""Seeds that PyTorch draws in C++: of its default generators, and by ``Generator.seed`` and ``torch.seed``.

Default generators are seeded from the system when they are made (``c10::detail::getNonDeterministicRandom``),
those of CUDA devices when CUDA is begun. What they drew is noted; a replay seeds them with it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ENTROPY = 1
_SIZE = 8


def attach(module: Any, tape: Any, put: Any) -> None:
    def same(name: str, generator: Any) -> None:
        """Note the seed that a generator has, or give it the recorded one."""
        drawn = generator.initial_seed()
        told = _told(tape, name, drawn, None)
        if told != drawn:
            generator.manual_seed(told)

    def same_on_devices() -> None:
        try:
            for number, generator in enumerate(module.cuda.default_generators):
                same("torch's generator of CUDA device %d" % number, generator)
        except Exception as error:
            tape.failed(error)

    same("torch's default generator", module.default_generator)
    later = getattr(getattr(module, "cuda", None), "_lazy_call", None)
    if later is not None:
        later(same_on_devices)
    _draws(module._C.Generator, tape)


def _draws(kind: Any, tape: Any) -> None:
    """Have ``Generator.seed`` noted: a method of a type of C, whose dictionary nobody has looked into yet."""
    known = "gc" in sys.modules
    import gc

    if not known:
        del sys.modules["gc"]
    methods = gc.get_referents(vars(kind))[0]
    if not isinstance(methods, dict) or "seed" not in methods:
        return
    original = methods["seed"]

    def seed(self: Any) -> int:
        drawn: int = original(self)
        told = _told(tape, "torch.seed", drawn, tape.drawing(sys._getframe(1)))
        if told != drawn:
            self.manual_seed(told)
        return told

    seed.__doc__, seed.__qualname__ = original.__doc__, original.__qualname__
    methods["seed"] = seed


def _told(tape: Any, name: str, drawn: int, code: Any) -> int:
    thread = tape.enter()
    if thread is None:
        return drawn
    try:
        if code is None:
            stream = tape.named(thread, _ENTROPY, name)
        else:
            stream = tape.stream(thread, _ENTROPY, name, code)
        data = tape.random(thread, stream, _SIZE, lambda size: (drawn % (1 << 64)).to_bytes(size, "little"))
        return int.from_bytes(data, "little")
    except Exception as error:
        tape.failed(error)
        return drawn
    finally:
        thread.busy = False

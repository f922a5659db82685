"""The module random: its own generator, and every other that is not given a seed.

``Random.seed(None)`` draws 624 words from the system in C (``random_seed_urandom`` of ``_randommodule.c``);
the same words as one number give the same state. ``SystemRandom``, and with it ``secrets`` and numpy's
``SeedSequence``, ask ``os.urandom``.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS = 624


def attach(module: Any, tape: Any, put: Any) -> None:
    kind, own = module.Random, module._inst
    original = kind.seed

    def seed(self: Any, a: Any = None, version: int = 2) -> None:
        if a is None:
            a = int.from_bytes(tape.draw(4 * _WORDS), "little")
        original(self, a, version)

    seed.__qualname__, seed.__module__, seed.__doc__ = "Random.seed", "random", original.__doc__
    seed.__defaults__ = original.__defaults__
    kind.seed = seed
    module._urandom = tape.urandom
    if type(own) is kind:
        module.seed = own.seed

        def begin() -> None:
            """As at its import and in a forked child, where it asks the system by itself."""
            original(own, int.from_bytes(tape.draw(4 * _WORDS, "random's own generator"), "little"))

        begin()
        os.register_at_fork(after_in_child=begin)  # called after the one that random has registered

"""Freeze the environment of a machine-learning run, replay it elsewhere, and say if the result is the same.

The verbs return typed records, which live in ``envfreeze.records``::

    import envfreeze

    lock = envfreeze.freeze(["python", "train.py"])
    image = envfreeze.build()
    run = envfreeze.replay(engine="local")
    comparison = envfreeze.diff("runs/a", "runs/b")
    folder, sweep = envfreeze.sweep(count=16)

Names are imported on first use, so that ``import envfreeze`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envfreeze.drift import status
    from envfreeze.errors import EnvfreezeError, EnvironmentFailure, InputError
    from envfreeze.freezing import freeze
    from envfreeze.records.comparison import Comparison
    from envfreeze.records.lock import Lock
    from envfreeze.records.run import Image, Run
    from envfreeze.records.verdict import Verdict
    from envfreeze.sweeps.run import sweep
    from envfreeze.workflow import build, diff, replay

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "EnvfreezeError",
    "EnvironmentFailure",
    "Image",
    "InputError",
    "Lock",
    "Run",
    "Verdict",
    "build",
    "diff",
    "freeze",
    "replay",
    "status",
    "sweep",
]

_HOME = {
    "Comparison": "records.comparison",
    "EnvfreezeError": "errors",
    "EnvironmentFailure": "errors",
    "Image": "records.run",
    "InputError": "errors",
    "Lock": "records.lock",
    "Run": "records.run",
    "Verdict": "records.verdict",
    "build": "workflow",
    "diff": "workflow",
    "freeze": "freezing",
    "replay": "workflow",
    "status": "drift",
    "sweep": "sweeps.run",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"envfreeze.{_HOME[name]}"), name)
    raise AttributeError(f"module 'envfreeze' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

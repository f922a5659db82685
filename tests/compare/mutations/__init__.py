"""One small experiment, written in every format; what can be done to it that harms, and what does not.

Each module is a family of formats, which it makes known when it is imported: to add one, add a file.
"""

from __future__ import annotations

import importlib
import pkgutil

from ._experiment import BASE, FORMATS

for _found in pkgutil.iter_modules(__path__):
    if not _found.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_found.name}")

__all__ = ["BASE", "DAMAGE", "FORMATS", "damaged"]


def damaged(data: bytes) -> dict[str, bytes]:
    """Files that are no longer what was written."""
    return {
        "half a file": data[: len(data) // 2],
        "cut at the end": data[: -max(2, len(data) // 20)],
        "empty": b"",
    }


DAMAGE = tuple(damaged(b"1234"))

"""Families of files: adding a probe, an engine, a comparator or a rule is adding one file to its folder."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def members(package: ModuleType, attribute: str, kind: type[T]) -> list[T]:
    """The object of that kind called ``attribute`` of every module in ``package``, by module name.

    Modules whose name starts with an underscore are helpers and are not looked at.
    """
    found = []
    for module_info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        if not module_info.name.startswith("_"):
            module = importlib.import_module(f"{package.__name__}.{module_info.name}")
            member = getattr(module, attribute, None)
            if isinstance(member, kind):
                found.append(member)
    return found

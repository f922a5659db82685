"""Values of hyperparameters as short text: JSON where they can be, otherwise a name; loaded inside the run.

No code of the program runs for it: objects of classes that are not known here are given by the name of their
class, without ``repr``, which may be slow or have effects. Arrays are described, not written out.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST = 1000
"""Characters of a value that are kept."""
_DEEPEST = 6
_SHORTEST_ARRAY = 16
"""Elements up to which an array is written out."""
_SHOWN = frozenset({"bytes", "complex", "range", "slice", "ellipsis", "dtype", "device", "Pattern"})
"""Names of classes (builtins, numpy, torch, re) whose repr is short and says all."""
_SAID = frozenset({"datetime", "date", "time", "timedelta", "Decimal", "Fraction", "UUID"})
"""Names of classes of the standard library whose str is their value."""


class _Full(Exception):
    """The text is long enough."""


def text(value: Any) -> str:
    """At most ``LONGEST`` characters; a longer text ends with an ellipsis."""
    parts: list[str] = []
    try:
        _write(value, parts, 0)
    except _Full:
        pass
    whole = "".join(parts)
    return whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + "…"


def public_name(kind: Any) -> str:
    """As users import it: ``sklearn.svm._classes.SVC`` is ``sklearn.svm.SVC``; of a script's own the name."""
    module = str(getattr(kind, "__module__", "") or "")
    name = str(getattr(kind, "__qualname__", "") or getattr(kind, "__name__", "") or type(kind).__name__)
    whole = module.split(".")
    for length in range(1, len(whole)):
        # Packages offer their classes higher up than where they are written.
        if vars(sys.modules.get(".".join(whole[:length]), sys)).get(name) is kind:
            return ".".join(whole[:length]) + "." + name
    parts = [part for part in whole if part and not part.startswith("_")]
    if parts and parts[0] != "builtins":
        return ".".join(parts) + "." + name
    return name


def _write(value: Any, parts: list[str], depth: int) -> None:
    if sum(map(len, parts[-64:])) > LONGEST or len(parts) > LONGEST:
        raise _Full
    if depth > _DEEPEST:
        parts.append("…")
        return
    kind = type(value)
    if value is None or kind is bool:
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif hasattr(kind, "__members__") and isinstance(getattr(value, "_name_", None), str):  # enum.Enum
        parts.append("%s.%s" % (kind.__name__, value._name_))
    elif isinstance(value, int):
        parts.append(int.__repr__(value) if value.bit_length() < 2000 else "0x%x" % value)
    elif isinstance(value, float):
        parts.append(_number(float.__repr__(value)))
    elif isinstance(value, str):
        parts.append(_quoted(value))
    elif isinstance(value, (list, tuple)):
        _sequence(value, parts, depth)
    elif isinstance(value, dict):
        _mapping(value, parts, depth)
    elif isinstance(value, (set, frozenset)):
        _sequence(_Ready(sorted(map(text, list(value)[:LONGEST]))), parts, depth)
    else:
        parts.append(_other(value, kind))


class _Ready(list):  # type: ignore[type-arg]
    """A list of texts that are written as they are."""


def _sequence(values: Any, parts: list[str], depth: int) -> None:
    parts.append("[")
    for index, item in enumerate(values):
        if index:
            parts.append(", ")
        if type(values) is _Ready:
            parts.append(item)
        else:
            _write(item, parts, depth + 1)
    parts.append("]")


def _mapping(values: dict[Any, Any], parts: list[str], depth: int) -> None:
    parts.append("{")
    for index, (key, item) in enumerate(list(values.items())):
        parts.append(", " if index else "")
        parts.append(_quoted(key if isinstance(key, str) else text(key)))
        parts.append(": ")
        _write(item, parts, depth + 1)
    parts.append("}")


def _number(written: str) -> str:
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(written, written)


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _quoted(value: str) -> str:
    value = str.__getitem__(value, slice(0, LONGEST + 1))
    if value.isprintable() and '"' not in value and "\\" not in value:
        return '"' + value + '"'
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    return "\\u%04x" % code if code < 0x20 or 0xD800 <= code < 0xE000 else char


def _other(value: Any, kind: type) -> str:
    home, name = str(kind.__module__).partition(".")[0], kind.__name__
    if isinstance(value, type) or name in ("function", "builtin_function_or_method", "method", "ufunc"):
        return public_name(value)
    if home in ("pathlib", "upath"):
        return _quoted(os.fspath(value))
    if home in ("builtins", "numpy", "torch", "re") and name in _SHOWN:
        return repr(value)[: LONGEST + 1]
    if home in ("datetime", "decimal", "fractions", "uuid") and name in _SAID:
        return _quoted(str(value))
    if home in ("numpy", "torch", "jax", "jaxlib", "tensorflow", "cupy"):
        return _array(value, kind)
    if home in ("io", "_io") and isinstance(getattr(value, "name", None), str):
        return "open file " + _quoted(value.name)
    return public_name(kind)


def _array(value: Any, kind: type) -> str:
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return text(value.item())
    shape = getattr(value, "shape", None)
    if shape is None:
        return repr(value) if kind.__name__.endswith(("DType",)) else public_name(kind)
    if (
        numpy is not None
        and kind is numpy.ndarray
        and value.size <= _SHORTEST_ARRAY
        and value.dtype != object
    ):
        return text(value.tolist())
    return "%s of shape %s, %s" % (public_name(kind), text(tuple(shape)), getattr(value, "dtype", "?"))

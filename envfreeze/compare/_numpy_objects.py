"""Arrays of numpy inside pickles, from what the pickle says of them: type, shape and bytes."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from envfreeze.compare._limits import missing
from envfreeze.compare._pickle import Machine, Stream, Tuple, key_text
from envfreeze.compare._tree import Array, Blob, Object, Value

if TYPE_CHECKING:
    import numpy

_CODE = re.compile(r"[<>|=]?[biufcSUVmM?]\d{0,9}")
_ARRAY, _DTYPE = "numpy.ndarray", "numpy.dtype"
_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"


def call(kind: str, arguments: list[Any], _: Machine) -> Value:
    """Arrays, types and scalars; None for everything else (numpy 2 moved ``core`` to ``_core``)."""
    name = kind.replace("numpy._core.", "numpy.core.")
    if name == "numpy.core.multiarray._reconstruct":
        return Object(_ARRAY, {"class": arguments[0]} if arguments[0] != _ARRAY else {})
    if name == _DTYPE and arguments and isinstance(arguments[0], str):
        return Object(_DTYPE, {"code": arguments[0]})
    if name == "numpy.core.multiarray.scalar" and len(arguments) == 2:
        dtype, data = arguments
        if isinstance(data, Blob):
            return Object("numpy scalar", {"": _array(data.data, dtype, (), "C")})
    if name == "numpy.core.numeric._frombuffer" and len(arguments) == 4 and isinstance(arguments[0], Blob):
        data, dtype, shape, order = arguments
        kind_of = Tuple(dtype.parts.get("state", [])[2:])
        return Object(_ARRAY, {"": _array(data.data, dtype, _shape(shape), order), "type": kind_of})
    return None


def build(target: Object, state: Value, machine: Machine) -> bool:
    """The state of an array, of a type, or of joblib's wrapper, whose bytes follow it in the file."""
    if target.kind == _DTYPE and isinstance(state, Tuple):
        target.parts["state"] = state
        return True
    if target.kind == _ARRAY and isinstance(state, Tuple) and len(state) == 5:
        _, shape, dtype, fortran, data = state
        if isinstance(data, Blob):
            target.parts[""] = _array(data.data, dtype, _shape(shape), "F" if fortran else "C")
            target.parts["type"] = Tuple(dtype.parts.get("state", [])[2:])
        else:
            target.parts.update({"shape": shape, "items": data})
        return True
    if target.kind == _WRAPPER and isinstance(state, dict):
        _joblib(target, state, machine)
        return True
    return False


def _joblib(target: Object, state: dict[str, Any], machine: Machine) -> None:
    """joblib ≥ 0.10: after the wrapper stand padding, if it says so, and the bytes (or another pickle)."""
    dtype, shape = state["dtype"], _shape(state["shape"])
    target.parts["class"] = state["subclass"]
    if _code(dtype) == "O":
        target.parts["items"] = Machine(machine.stream, call=call, build=build).run()
        return
    if state.get("numpy_array_alignment_bytes") is not None:
        machine.stream.read(machine.stream.read(1)[0])
    found = _dtype(dtype)
    size = math.prod(shape) * found.itemsize
    data = machine.stream.read(size)
    target.parts[""] = _array(data, dtype, shape, state["order"])


def _shape(value: Value) -> tuple[int, ...]:
    shape = tuple(int(item.text) for item in value) if isinstance(value, list) else (int(value.text),)
    if any(length < 0 for length in shape) or len(shape) > 32:
        raise ValueError("no shape")
    return shape


def _code(dtype: Value) -> str:
    return str(dtype.parts.get("code", "")) if isinstance(dtype, Object) else ""


def _dtype(value: Value) -> numpy.dtype[Any]:
    """The type; structured ones by their fields."""
    try:
        import numpy
    except ImportError:
        raise missing("numpy") from None
    state = value.parts.get("state", []) if isinstance(value, Object) else []
    code = _code(value)
    if not _CODE.fullmatch(code):
        raise ValueError(f"the type {code[:20]!r}")
    if len(state) >= 6 and isinstance(state[3], list):
        names = [str(name) for name in state[3]]
        fields = [state[4][key_text(name)] for name in names]
        layout = {
            "names": names,
            "formats": [_subarray(field[0]) for field in fields],
            "offsets": [int(field[1].text) for field in fields],
            "itemsize": int(state[5].text),
        }
        return numpy.dtype(layout)  # type: ignore[call-overload,no-any-return]
    order = state[1] if len(state) > 1 and state[1] in ("<", ">") else ""
    found = numpy.dtype(code)
    return found.newbyteorder(">" if order == ">" else "<") if order else found


def _subarray(value: Value) -> Any:
    state = value.parts.get("state", [])
    if len(state) > 2 and isinstance(state[2], list):
        base, shape = state[2]
        return (_dtype(base), _shape(shape))
    return _dtype(value)


def _array(data: bytes, dtype: Value, shape: tuple[int, ...], order: str) -> Array:
    import numpy

    found = _dtype(dtype)
    if found.itemsize == 0 or math.prod(shape) * found.itemsize != len(data):
        raise ValueError("an array whose bytes do not fit its shape")
    array = numpy.frombuffer(data, found)
    return Array(array.reshape(shape, order="F" if order == "F" else "C"))


def load(stream: Stream) -> Value:
    """One pickle, with its arrays.

    Raises:
        NotThisKind: damaged, or numpy is missing.
    """
    return Machine(stream, call=call, build=build).run()

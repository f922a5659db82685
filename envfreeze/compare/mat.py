"""MATLAB files of versions 4 and 5 (up to 7.2), variable by variable; later ones are HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import IN_MEMORY, missing
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import Array, Object, Value, add_trees

_START = b"MATLAB 5.0 MAT-file"


def recognises(sample: Sample) -> bool:
    """By the text at the start of version 5."""
    return sample.head.startswith(_START)


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Variable by variable; the text of the header, with date and platform, is no result.

    Raises:
        NotThisKind: scipy is not installed, the file is damaged, or it holds what scipy cannot read.
    """
    try:
        from scipy.io import loadmat
    except ImportError:
        raise missing("scipy") from None
    trees, headers = [], []
    for path in (original, replay):
        if path.stat().st_size > IN_MEMORY:
            raise NotThisKind("it is too large")
        try:
            found = loadmat(path, struct_as_record=True, mat_dtype=False)
        except Exception as error:  # of many types, as scipy was not made for damaged files
            raise NotThisKind(f"damaged ({type(error).__name__})") from None
        headers.append(found.pop("__header__", b""))
        found.pop("__version__", None)
        trees.append({name: _value(value, 0) for name, value in found.items()})
    tally = Tally(options)
    if headers[0] != headers[1]:
        tally.aside("date and platform in the header")
    add_trees(trees[0], trees[1], tally, root="$")
    return tally.finding("the same variables; compression differs")


def _value(value: Any, depth: int) -> Value:
    import numpy

    if depth > 20:
        raise NotThisKind("nested too deeply")
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return [_value(item, depth + 1) for item in value]
    if hasattr(value, "tocoo"):
        value = value.tocsc()
        parts = {name: Array(getattr(value, name)) for name in ("data", "indices", "indptr")}
        return Object("sparse", {**parts, "shape": str(value.shape)})
    array = numpy.asarray(value)
    if array.dtype.names:
        fields = {name: _value(array[name], depth + 1) for name in array.dtype.names}
        return Object(f"struct {list(array.shape)}", fields)
    if array.dtype.kind == "O":
        items = [_value(item, depth + 1) for item in array.reshape(-1)]
        return Object(f"cells {list(array.shape)}", {"": items})
    return Array(array)


COMPARATOR = Comparator(name="mat", priority=79, recognises=recognises, compare=compare, isolated=True)

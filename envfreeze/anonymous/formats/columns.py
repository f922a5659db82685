"""HDF5, Parquet, Arrow and Feather: text in them is compressed or under checksums, so it is only found.

They are read by their libraries, and cannot be rewritten.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from envfreeze.anonymous.formats import Budget, CannotOpen, Format, Part, stream
from envfreeze.anonymous.names import Buffer

_MISSING = "it takes pip install 'envfreeze[formats]'"


def _hdf5(data: Buffer, budget: Budget) -> Iterator[Part]:
    """Attributes and texts, by h5py, and the bytes as they are."""
    yield Part("", b"\0" + bytes(data[1:]))
    try:
        import h5py
    except ImportError:
        raise CannotOpen(_MISSING) from None
    found: list[str] = []

    def visit(name: str, item: Any) -> None:
        found.extend((name, *(f"{key}={value!r}" for key, value in item.attrs.items())))
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "OSU":
            budget.take(item.nbytes)
            found.append("\n".join(_words(value) for value in item[...].ravel()))

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            found += [f"{key}={value!r}" for key, value in file.attrs.items()]
            file.visititems(visit)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise CannotOpen(f"HDF5: {error}") from None
    yield Part("its texts", "\n".join(found).encode("utf-8", "surrogateescape"))


def _words(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _table(data: Buffer, budget: Budget) -> Iterator[Part]:
    """Names, metadata and texts of the columns, by pyarrow."""
    try:
        import pyarrow
        from pyarrow import feather, parquet
    except ImportError:
        raise CannotOpen(_MISSING) from None
    try:
        read = parquet.read_table if data[:4] == b"PAR1" else feather.read_table
        table = read(stream(data))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise CannotOpen(f"its table cannot be read: {' '.join(str(error).split())[:100]}") from None
    budget.take(table.nbytes)
    yield Part("its schema", str(table.schema.to_string(truncate_metadata=False)).encode())
    for name in table.column_names:
        column = table.column(name)
        if not any(is_kind(column.type) for is_kind in _numbers(pyarrow.types)):
            yield Part(f"column {name}", "\n".join(_words(value) for value in column.to_pylist()).encode())


def _numbers(types: Any) -> tuple[Any, ...]:
    return types.is_integer, types.is_floating, types.is_boolean


_MAGIC = (b"\x89HDF\r\n\x1a\n", b"PAR1", b"ARROW1", b"FEA1")

FORMAT = Format(
    name="HDF5, Parquet, Arrow",
    recognises=lambda head, _: head.startswith(_MAGIC),
    parts=lambda data, budget: (_hdf5 if data[1:4] == b"HDF" else _table)(data, budget),
)

"""Tables in columns: Parquet, Arrow and Feather; column by column.

Row groups, encodings, compression and the version of the library that wrote them are no results.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._arrays import compare_arrays
from envfreeze.compare._limits import budget, missing
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally, shown
from envfreeze.compare._tree import Blob, Number, Unordered, Value, add_trees
from envfreeze.records.verdict import Verdict

MAGICS = (b"PAR1", b"ARROW1\0\0", b"FEA1")
SLICE = 1 << 15
"""Rows of texts and nested values that are taken apart at a time."""
_VERSIONS = ("creator", "pandas_version")


def recognises(sample: Sample) -> bool:
    """By the first bytes."""
    return sample.head.startswith(MAGICS)


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value.

    Raises:
        NotThisKind: pyarrow is not installed, or the file is damaged.
    """
    try:
        import pyarrow
    except ImportError:
        raise missing("pyarrow") from None
    tally = Tally(options)
    try:
        one, two = (_open(path) for path in (original, replay))
        _schemas(one.schema, two.schema, tally)
        if one.num_rows != two.num_rows:
            tally.differ("rows", str(one.num_rows), str(two.num_rows))
        else:
            if options.order_insensitive:
                one, two = (_sorted(table, options) for table in (one, two))
            for name in one.schema.names:
                if name in two.schema.names and one.schema.field(name).type == two.schema.field(name).type:
                    _columns(shown(name), one.column(name), two.column(name), tally)
    except (pyarrow.ArrowException, OSError, KeyError, ValueError) as error:
        raise NotThisKind(f"damaged ({error})") from None
    return tally.finding("the same columns; encoding, compression or row groups differ")


def _open(path: Path) -> Any:
    """The table: memory-mapped where the format can be, and bounded by what it may unpack to."""
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic == b"PAR1":
        import pyarrow.parquet

        file = pyarrow.parquet.ParquetFile(path)
        groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
        budget().spend(sum(group.total_byte_size for group in groups))
        return file.read(use_threads=False)
    if magic == b"FEA1":
        import pyarrow.feather

        return pyarrow.feather.read_table(path, use_threads=False)
    import pyarrow.ipc

    return pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()


def _schemas(one: Any, two: Any, tally: Tally) -> None:
    for name in one.names:
        if name not in two.names:
            tally.differ(shown(name), str(one.field(name).type), "", ONLY_ORIGINAL)
        elif not one.field(name).equals(two.field(name), check_metadata=True):
            tally.differ(shown(name), str(one.field(name)), str(two.field(name)), "type")
    for name in two.names:
        if name not in one.names:
            tally.differ(shown(name), "", str(two.field(name).type), ONLY_REPLAY)
    if one.names != two.names and sorted(one.names) == sorted(two.names):
        tally.differ("columns", ", ".join(one.names), ", ".join(two.names), "order")
    trees = [_metadata(schema.metadata or {}) for schema in (one, two)]
    versions = [[tree.get("pandas", {}).pop(key, None) for key in _VERSIONS] for tree in trees]
    if versions[0] != versions[1]:
        tally.aside("version of the writing library")
    add_trees(trees[0], trees[1], tally, root="metadata")


def _metadata(metadata: dict[bytes, bytes]) -> dict[str, Any]:
    result: dict[str, Any] = {
        key.decode("latin-1"): value.decode("latin-1") for key, value in metadata.items()
    }
    result.pop("ARROW:schema", None)
    try:
        pandas = json.loads(result["pandas"], parse_int=Number, parse_float=Number)
        result["pandas"] = pandas if isinstance(pandas, dict) else {"": pandas}
    except (KeyError, ValueError, RecursionError):
        if "pandas" in result:
            result["pandas"] = {"": result["pandas"]}
    return result


def _sorted(table: Any, options: Options) -> Any:
    names = table.schema.names if "*" in options.order_insensitive else options.order_insensitive
    return table.sort_by([(name, "ascending") for name in names if name in table.schema.names])


def _columns(name: str, one: Any, two: Any, tally: Tally) -> None:
    import pyarrow

    if pyarrow.types.is_dictionary(one.type):
        one, two = (side.cast(side.type.value_type) for side in (one, two))
    kind = one.type
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
        nulls = [side.is_null() for side in (one, two)]
        if not nulls[0].equals(nulls[1]):
            tally.differ(name, f"{one.null_count} nulls", f"{two.null_count} nulls", "nulls")
            return
        arrays = [(side.fill_null(0) if side.null_count else side).to_numpy() for side in (one, two)]
        finding = compare_arrays(name, arrays[0], arrays[1], tally.options)
        if finding.verdict is not Verdict.EQUIVALENT:
            tally.array(name, finding)
        return
    if one.equals(two):
        return
    for start in range(0, len(one), SLICE):
        first, second = one.slice(start, SLICE), two.slice(start, SLICE)
        if first.equals(second):
            continue
        for row, pair in enumerate(zip(first.to_pylist(), second.to_pylist(), strict=True), start):
            if (pair[0] is not pair[1] and pair[0] != pair[1]) or _is_float(kind):
                add_trees(_value(pair[0]), _value(pair[1]), tally, root=f"{name}[{row}]", in_data=True)


def _is_float(kind: Any) -> bool:
    """True for types in which NaN or −0 may hide in equal values."""
    return "float" in str(kind) or "double" in str(kind)


def _value(value: Any) -> Value:
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float):
        return Number(repr(value))
    if isinstance(value, bytes):
        return Blob(value)
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _value(item) for key, item in value.items()}
    if isinstance(value, set):
        return Unordered([_value(item) for item in value])
    return f"{type(value).__name__} {value}"


COMPARATOR = Comparator(name="columnar", priority=81, recognises=recognises, compare=compare, isolated=True)

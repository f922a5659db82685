"""HDF5 (and what is: Keras weights, MATLAB 7.3, netCDF 4), dataset by dataset and attribute by attribute.

Links to other files are compared as links and never followed. Chunks, compression and times are no results.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import IN_MEMORY, budget, missing
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import Array, Blob, Object, Value, add_trees

MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_OBJECTS = 100_000


def recognises(sample: Sample) -> bool:
    """The signature at byte 0, or after a user block of 512, 1024, … bytes."""
    return any(sample.head[place : place + 8] == MAGIC for place in (0, 512, 1024, 2048, 4096))


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value; datasets block by block.

    Raises:
        NotThisKind: h5py is not installed, the file is damaged, or data lies in other files.
    """
    try:
        import h5py
    except ImportError:
        raise missing("h5py") from None
    tally = Tally(options)
    try:
        with h5py.File(original, "r", locking=False) as one, h5py.File(replay, "r", locking=False) as two:
            blocks = [side.userblock_size for side in (one, two)]
            if any(blocks):
                heads = _head(original, blocks[0]), _head(replay, blocks[1])
                add_trees(*heads, tally, root="user block")
            add_trees(_Reader().group(one), _Reader().group(two), tally, root="$")
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise NotThisKind(f"damaged, or with a type that is not known ({error})") from None
    return tally.finding("the same datasets and attributes; their layout in the file differs")


def _head(path: Path, size: int) -> Blob:
    with path.open("rb") as stream:
        return Blob(stream.read(size))


class _Reader:
    """One file as a tree."""

    def __init__(self) -> None:
        self.met: dict[Any, str] = {}

    def group(self, group: Any) -> Value:
        """Attributes and members; a group that was met before is named by where."""
        import h5py

        address = h5py.h5o.get_info(group.id).addr
        if address in self.met:
            return f"the same as {self.met[address]}"
        self.met[address] = str(group.name)
        if len(self.met) > MAX_OBJECTS:
            raise NotThisKind(f"it has more than {MAX_OBJECTS} objects")
        if isinstance(group, h5py.Dataset):
            return self._dataset(group)
        parts: dict[str, Value] = {}
        for name in sorted(group):
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.HardLink):
                parts[name] = self.group(group[name])
            else:
                parts[name] = Object(
                    type(link).__name__, {key: str(part) for key, part in vars(link).items()}
                )
        return Object("group", {**parts, **self._attributes(group)})

    def _attributes(self, owner: Any) -> dict[str, Value]:
        found = {name: _attribute(owner.attrs[name]) for name in sorted(owner.attrs)}
        return {"attributes": found} if found else {}

    def _dataset(self, dataset: Any) -> Value:
        import h5py

        if isinstance(dataset, h5py.Datatype):
            return Object("type", {"": str(dataset.dtype)})
        if dataset.external or dataset.is_virtual:
            raise NotThisKind("its data lies in other files")
        budget().spend(int(dataset.size or 0) * dataset.dtype.itemsize)
        return Object("dataset", {"": _data(dataset), **self._attributes(dataset)})


def _data(dataset: Any) -> Value:
    import h5py

    if dataset.shape is None:
        return None
    if dataset.dtype.kind != "O":
        return Array(dataset)
    if h5py.check_string_dtype(dataset.dtype) is None:
        raise NotThisKind("it holds references or rows of different lengths")
    if dataset.size > IN_MEMORY // 64:
        raise NotThisKind("it holds too many texts")
    texts = dataset[()]
    return texts if isinstance(texts, str) else _texts(texts)


def _texts(values: Any) -> Value:
    if isinstance(values, bytes):
        return values.decode("utf-8", "backslashreplace")
    return [_texts(value) for value in values]


def _attribute(value: Any) -> Value:
    import h5py
    import numpy

    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    array = numpy.asarray(value)
    if array.dtype.kind == "O":
        return [item if isinstance(item, str) else _attribute(item) for item in array.reshape(-1).tolist()]
    return Array(array)


COMPARATOR = Comparator(name="hdf5", priority=83, recognises=recognises, compare=compare, isolated=True)

"""NumPy's npy and npz files, array by array, element by element.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Arrays are memory-mapped and
compared in blocks, so memory stays flat. Pickled objects are never loaded.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._arrays import compare_arrays
from envfreeze.compare._limits import budget, is_full, missing, no_room
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally
from envfreeze.records.verdict import Verdict

if TYPE_CHECKING:
    import numpy

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")

Arrays = Iterator[tuple[str, "numpy.ndarray[Any, Any]"]]


def recognises(sample: Sample) -> bool:
    """By the first bytes; a ZIP archive only when its suffix says npz."""
    return sample.head.startswith(NPY_MAGIC) or (
        sample.suffix == ".npz" and sample.head.startswith(ZIP_MAGICS)
    )


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Equivalent when all elements have the same bits, close when all are within the tolerance of their type.

    Raises:
        NotThisKind: numpy is not installed, a file is damaged, or it holds pickled objects.
    """
    numpy = _numpy()
    zipped = [zipfile.is_zipfile(path) and not _is_npy(path) for path in (original, replay)]
    if zipped[0] != zipped[1]:
        raise NotThisKind("one is npy and the other is npz")
    if not zipped[0]:
        return compare_arrays("array", _open(numpy, original), _open(numpy, replay), options)
    try:
        return _compare_archives(numpy, original, replay, options)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        if is_full(error):
            raise no_room() from None
        raise NotThisKind(f"damaged or encrypted archive ({error})") from None


def _numpy() -> ModuleType:
    try:
        import numpy
    except ImportError:
        raise missing("numpy") from None
    return numpy


def _is_npy(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(NPY_MAGIC)) == NPY_MAGIC


def _open(numpy: ModuleType, path: Path) -> Any:
    try:
        array = numpy.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # of many types: the header is a literal of Python
        raise NotThisKind(f"damaged, or it holds pickled objects ({error})") from None
    if array.dtype.itemsize == 0:
        raise NotThisKind("its elements have no content")
    return array


def _compare_archives(numpy: ModuleType, original: Path, replay: Path, options: Options) -> Finding:
    """Array by array, each unpacked to a temporary file; the archive is as good as its worst array."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(zipfile.ZipFile(path)) for path in (original, replay))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envfreeze-")))
        names, others = _names(first), _names(second)
        tally = Tally(options)
        for name in names - others:
            tally.differ(_array(name), "an array", "", ONLY_ORIGINAL)
        for name in others - names:
            tally.differ(_array(name), "", "an array", ONLY_REPLAY)
        findings = [tally.finding("the same arrays; the archive's own entries differ")]
        for name in sorted(names & others):
            one, two = (
                _unpack(archive, name, folder / side) for archive, side in ((first, "a"), (second, "b"))
            )
            findings.append(compare_arrays(_array(name), _open(numpy, one), _open(numpy, two), options))
    return _worst(findings)


def _worst(findings: list[Finding]) -> Finding:
    worst = max(findings, key=lambda finding: finding.verdict.rank)
    if worst.verdict is Verdict.EQUIVALENT:
        return findings[0]
    same = [finding for finding in findings if finding.verdict is worst.verdict]
    more = f"; {len(same) - 1} more arrays" if len(same) > 1 else ""
    differences = tuple(difference for finding in same for difference in finding.differences)
    return Finding(verdict=worst.verdict, reason=same[0].reason + more, differences=differences[:10])


def _array(name: str) -> str:
    return name.removesuffix(".npy")


def _names(archive: zipfile.ZipFile) -> set[str]:
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    if len(names) != len(entries):
        raise NotThisKind("the archive has two entries of one name")
    if any(not name.endswith(".npy") for name in names):
        raise NotThisKind("the archive holds more than arrays")
    budget().spend(sum(entry.file_size for entry in entries))
    return names


def _unpack(archive: zipfile.ZipFile, name: str, target: Path) -> Path:
    target.unlink(missing_ok=True)  # an array that is still mapped keeps its own file
    with archive.open(name) as source, target.open("wb") as stream:
        shutil.copyfileobj(source, stream, 1 << 20)
    return target


COMPARATOR = Comparator(name="npy", priority=80, recognises=recognises, compare=compare)

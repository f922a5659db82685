"""Fuzz one parser for as long as wanted, guided by the coverage of this package (needs ``atheris``)::

    python tests/fuzz/fuzz.py pickle -max_total_time=600

Only ``envfreeze`` is instrumented: numpy, pyarrow and the like would drown its few thousand branches.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["envfreeze"]):
    from envfreeze.compare import Comparator, NotThisKind, Options
    from envfreeze.compare._contents import budget_for, comparators

    KINDS = {comparator.name: comparator for comparator in comparators() if comparator.name != "bytes"}

sys.path.insert(0, str(Path(__file__).parents[1]))
from compare.mutations import BASE, FORMATS
from compare.mutations.arrays import zarr_files
from compare.mutations.models import saved_model_files

STORES = {
    "checkpoint": lambda: {
        name.rpartition("/")[2]: data
        for name, data in saved_model_files(BASE).items()
        if "variables." in name
    },
    "zarr": lambda: zarr_files(BASE, version=2) | {f"v3/{k}": d for k, d in zarr_files(BASE).items()},
}
"""Of the kinds that are several files, those of which one is replaced: the first byte says which."""


def fuzz(comparator: Comparator, arguments: list[str]) -> None:
    """Feed a parser until it raises something that is not ``NotThisKind``."""
    folder = Path(tempfile.mkdtemp(prefix="envfreeze-fuzz-"))
    one, two = folder / "one", folder / "two"

    files = STORES[comparator.name]() if comparator.stores else {}
    names = sorted(files)
    for side in (one, two):
        for name in names:
            (side / name).parent.mkdir(parents=True, exist_ok=True)
            (side / name).write_bytes(files[name])

    def once(data: bytes) -> None:
        if names:
            name = names[data[0] % len(names)] if data else names[0]
            places = one / name, two / name
        else:
            places = one, two
        for place, content in zip(places, (data[1:], data[1:] + b"\0"), strict=True):
            place.write_bytes(content)
        try:
            with budget_for(one, two):
                comparator.compare(one, two, Options())
        except NotThisKind:
            return
        finally:
            for side in (one, two) if names else ():
                (side / name).write_bytes(files[name])

    corpus = folder / "corpus"
    corpus.mkdir()
    for name, kind in FORMATS.items():
        (corpus / name).write_bytes(b"\0" + kind.build(BASE))
    for place, name in enumerate(names):
        (corpus / f"part-{place}").write_bytes(bytes([place % 256]) + files[name])
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in KINDS:
        sys.exit(f"usage: {sys.argv[0]} PARSER [libFuzzer's options]; one of {', '.join(sorted(KINDS))}")
    fuzz(KINDS[sys.argv[1]], sys.argv[2:])

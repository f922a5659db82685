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


def fuzz(comparator: Comparator, arguments: list[str]) -> None:
    """Feed a parser until it raises something that is not ``NotThisKind``."""
    folder = Path(tempfile.mkdtemp(prefix="envfreeze-fuzz-"))
    one, two = folder / "one", folder / "two"

    def once(data: bytes) -> None:
        one.write_bytes(data)
        two.write_bytes(data + b"\0")
        try:
            with budget_for(one, two):
                comparator.compare(one, two, Options())
        except NotThisKind:
            return

    corpus = folder / "corpus"
    corpus.mkdir()
    for name, kind in FORMATS.items():
        (corpus / name).write_bytes(kind.build(BASE))
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in KINDS:
        sys.exit(f"usage: {sys.argv[0]} PARSER [libFuzzer's options]; one of {', '.join(sorted(KINDS))}")
    fuzz(KINDS[sys.argv[1]], sys.argv[2:])

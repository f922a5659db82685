"""Damaged files of every format: no comparator fails, hangs, or calls what was damaged the same.

A few dozen damages of each format, always the same ones; ``fuzz.py`` beside it goes on for as long as wanted.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from envfreeze.compare import Options
from envfreeze.compare._contents import compare_contents
from envfreeze.records.verdict import Verdict

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
try:
    from compare.mutations import BASE, FORMATS
finally:
    sys.path.remove(str(ROOT))

DAMAGES = 25


def damage(data: bytes, generator: random.Random) -> bytes:
    """Bytes changed, put in, taken out, or repeated; lengths and markers are likely to be hit."""
    changed = bytearray(data)
    for _ in range(generator.choice((1, 1, 2, 5))):
        place = generator.randrange(len(changed)) if changed else 0
        how = generator.randrange(5)
        if how == 0 and changed:
            changed[place] ^= 1 << generator.randrange(8)
        elif how == 1 and changed:
            changed[place] = generator.choice((0, 0x7F, 0x80, 0xFF))
        elif how == 2:
            changed[place:place] = generator.randbytes(generator.choice((1, 4, 8)))
        elif how == 3:
            del changed[place : place + generator.choice((1, 4, 64))]
        else:
            changed[place : place + 8] = b"\xff" * 8
    return bytes(changed)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_judged(name: str, tmp_path: Path) -> None:
    kind = FORMATS[name]
    data = kind.build(BASE)
    generator = random.Random(name)  # a fixed start: the same damages each time
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(data)
    for _ in range(DAMAGES):
        two.unlink(missing_ok=True)
        changed = damage(data, generator)
        two.write_bytes(changed)
        judged = compare_contents(one, two, Options(), f"x{kind.suffix}")
        assert judged.finding.verdict is not Verdict.UNCOMPARED
        assert (judged.finding.verdict is Verdict.IDENTICAL) == (changed == data)
        assert "comparator failed" not in judged.finding.reason, judged.finding.reason
        assert "crashed" not in judged.finding.reason, judged.finding.reason

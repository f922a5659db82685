"""JSON Lines (https://jsonlines.org), record by record; where records count steps, as training curves."""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._tally import ONLY_ORIGINAL, ONLY_REPLAY, Tally
from envfreeze.compare._tree import Number, Value, add_trees
from envfreeze.compare.csv_ import step_of
from envfreeze.compare.json_ import parse
from envfreeze.compare.text import lines


def recognises(sample: Sample) -> bool:
    """Two or more lines at the start, each an object of its own."""
    starts = [line for line in sample.head.splitlines()[:3] if line.strip()]
    if len(starts) < 2 or not all(line.lstrip().startswith(b"{") for line in starts):
        return False
    try:
        return isinstance(json.loads(starts[0]), dict)
    except (ValueError, RecursionError):
        return False


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Equivalent, close or different by value, in the order of the lines.

    Raises:
        NotThisKind: a line is no JSON.
    """
    tally = Tally(options)
    for number, (one, two) in enumerate(zip_longest(lines(original), lines(replay)), 1):
        where = f"line {number}"
        if one is None or two is None:
            if (one or two or "").strip():
                note = ONLY_ORIGINAL if two is None else ONLY_REPLAY
                tally.differ(where, (one or "").strip(), (two or "").strip(), note)
        elif one != two:
            if not one.strip() or not two.strip():
                raise NotThisKind(f"{where} is empty in one of them")
            trees = parse(one), parse(two)
            step = _step(*trees)
            add_trees(*trees, tally, root="$" if step else where, step=step)
    return tally.finding("the same records; order of keys, white space or spelling differ")


def _step(one: Value, two: Value) -> str:
    if not isinstance(one, dict) or not isinstance(two, dict):
        return ""
    names = [name for name in one if isinstance(one[name], Number) and isinstance(two.get(name), Number)]
    return step_of(names, [one[name].text for name in names], [two[name].text for name in names])


COMPARATOR = Comparator(name="jsonl", priority=65, recognises=recognises, compare=compare)

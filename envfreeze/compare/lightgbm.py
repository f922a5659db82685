"""LightGBM's models as text, tree by tree (``Booster.save_model``)."""

from __future__ import annotations

from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._numbers import is_number
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import Number, Value, add_trees
from envfreeze.compare.text import lines

MAX_LINES = 5_000_000


def recognises(sample: Sample) -> bool:
    """By its first two lines."""
    return sample.head.startswith(b"tree\nversion=v")


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value; ``tree_sizes``, which counts the characters of each tree, follows from the rest.

    Raises:
        NotThisKind: not UTF-8, a line is too long, or there are too many.
    """
    tally = Tally(options)
    one, two = _load(original), _load(replay)
    sizes = [side["header"].pop("tree_sizes", None) for side in (one, two)]
    if sizes[0] != sizes[1]:
        if one == two:
            tally.differ("tree_sizes", "the sizes of these trees", "others")
        tally.aside("number of characters of a tree")
    add_trees(one, two, tally, root="model")
    return tally.finding("the same trees; spelling of numbers differs")


def _load(path: Path) -> dict[str, dict[str, Value]]:
    """Lines of ``key=value`` under the tree or part that they belong to; other lines as they are."""
    result: dict[str, dict[str, Value]] = {"header": {}}
    part = result["header"]
    for number, line in enumerate(lines(path)):
        if number > MAX_LINES:
            raise NotThisKind(f"it has more than {MAX_LINES} lines")
        text = line.rstrip()
        key, equals, value = text.partition("=")
        if text.startswith("Tree=") or text in ("end of trees", "parameters:", "feature_importances:"):
            if text in result:
                raise NotThisKind(f"it has two parts {text[:40]!r}")
            part = result.setdefault(text, {})
        elif equals and key not in part:
            words = value.split(" ")
            numbers = all(is_number(word) for word in words)
            part[key] = [Number(word) for word in words] if numbers else value
        elif text:
            part[f"line {len(part)}"] = text
    return result


COMPARATOR = Comparator(name="lightgbm", priority=66, recognises=recognises, compare=compare)

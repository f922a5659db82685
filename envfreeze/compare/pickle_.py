"""Pickles, joblib's with arrays between the opcodes too: by structure and arrays, and never unpickled."""

from __future__ import annotations

from pathlib import Path

from envfreeze.compare import Comparator, Finding, Options, Sample
from envfreeze.compare._numpy_objects import load
from envfreeze.compare._pickle import Stream
from envfreeze.compare._tree import Value, compare_trees

SUFFIXES = (".pkl", ".pickle", ".p", ".joblib")


def recognises(sample: Sample) -> bool:
    """By opcode PROTO with protocol 2 to 5; older protocols, which start with any text, by suffix as well."""
    head = sample.head
    if len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return True
    return sample.suffix in SUFFIXES and head[:1] in b"(]}cIFVSLNG" and len(head) > 1


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value: order of keys in plain dicts, of members of sets, protocol and shared parts are no results.

    Raises:
        NotThisKind: damaged, or with data outside of the pickle.
    """
    return compare_trees(_load(original), _load(replay), options)


def _load(path: Path) -> Value:
    """The value, or the list of values when one pickle follows another."""
    size, values = path.stat().st_size, []
    with path.open("rb") as file:
        while file.tell() < size:
            values.append(load(Stream(file, size)))
    return values[0] if len(values) == 1 else values


COMPARATOR = Comparator(name="pickle", priority=55, recognises=recognises, compare=compare, isolated=True)

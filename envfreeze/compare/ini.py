"""INI files as ``configparser`` reads them, without interpolation; comments and the order of keys are no
results."""

from __future__ import annotations

import configparser
from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._numbers import is_number
from envfreeze.compare._tree import Number, Value, compare_trees

SUFFIXES = (".ini", ".cfg")
MAX_SIZE = 8 << 20


def recognises(sample: Sample) -> bool:
    """By the suffix, as much text looks like INI."""
    return sample.suffix in SUFFIXES and sample.size <= MAX_SIZE


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By section and key.

    Raises:
        NotThisKind: it cannot be read as INI, or a key comes twice.
    """
    return compare_trees(_load(original), _load(replay), options)


def _load(path: Path) -> Value:
    parser = configparser.RawConfigParser(default_section="", allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, ValueError) as error:
        raise NotThisKind(" ".join(str(error).split())) from None
    return {
        section: {key: _scalar(value) for key, value in parser[section].items()}
        for section in parser.sections()
    }


def _scalar(value: str | None) -> Value:
    return Number(value) if value and is_number(value) else value


COMPARATOR = Comparator(name="ini", priority=50, recognises=recognises, compare=compare)

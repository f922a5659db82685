"""Prints the names of all parsers that can be fuzzed."""

from __future__ import annotations

from envfreeze.compare._contents import comparators

if __name__ == "__main__":
    print("\n".join(comparator.name for comparator in comparators() if comparator.name != "bytes"))

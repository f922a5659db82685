"""YAML by value: only plain data, so no tags; every document of the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._numbers import is_number
from envfreeze.compare._tree import Number, Value, compare_trees

if TYPE_CHECKING:
    import yaml

MAX_SIZE = 8 << 20
"""Bytes; a larger file is compared as text, line by line."""
MAX_DEPTH = 100
MAX_VALUES = 1_000_000
"""Values with all aliases written out; nested aliases can stand for more than any memory holds."""
_CORE = "tag:yaml.org,2002:"


class Plain(str):
    """An unquoted scalar whose type the versions of YAML see differently: a date, ``yes``, ``off``."""


def recognises(sample: Sample) -> bool:
    """By the suffix, as almost any text is YAML; the content must then be a mapping or a list."""
    return sample.suffix in (".yaml", ".yml") and sample.size <= MAX_SIZE


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Equivalent, close or different by value.

    Raises:
        NotThisKind: not YAML, with tags, nested deeper than ``MAX_DEPTH``, with a key written twice, or with
            aliases that stand for more than ``MAX_VALUES`` values.
    """
    return compare_trees(load(original), load(replay), options)


def load(path: Path) -> Value:
    """The tree of values: the document, or the list of documents when there are several."""
    import yaml

    try:
        text = path.read_bytes().decode("utf-8-sig")
        _check(text)
        nodes = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
        budget = [MAX_VALUES]
        documents = [_value(node, budget) for node in nodes]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotThisKind(" ".join(str(error).split())) from None
    if not documents or not all(isinstance(document, dict | list) for document in documents):
        raise NotThisKind("neither a mapping nor a list")
    return documents[0] if len(documents) == 1 else documents


def _check(text: str) -> None:
    """Refuse tags and deep nesting from the events, before anything is built of them."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if tag := getattr(event, "tag", None):
            raise NotThisKind(f"it has the tag {tag!r}")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise NotThisKind(f"nested deeper than {MAX_DEPTH} levels")


def _value(node: yaml.Node, budget: list[int]) -> Value:
    import yaml

    budget[0] -= 1
    if budget[0] < 0:
        raise NotThisKind(f"its aliases stand for more than {MAX_VALUES} values")
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, budget) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, budget)
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node)


def _mapping(node: yaml.MappingNode, budget: list[int]) -> dict[str, Value]:
    import yaml

    result: dict[str, Value] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise NotThisKind("a key is a mapping or a list")
        kind = key.tag.removeprefix(_CORE)
        name = key.value if kind in ("str", "merge") else f"{key.value} ({kind})"
        if name in result:
            raise NotThisKind(f"the key {name!r} is written twice")
        result[name] = _value(value, budget)
    return result


def _scalar(node: yaml.ScalarNode) -> Value:
    """YAML 1.1 scalars as PyYAML resolves them, without what YAML 1.2 takes for text."""
    from yaml.constructor import SafeConstructor

    kind = node.tag.removeprefix(_CORE)
    if kind == "null":
        return None
    if kind == "bool":
        word = node.value.lower()
        return word == "true" if word in ("true", "false") else Plain(word)
    if kind == "timestamp":
        return Plain(node.value)
    if kind in ("int", "float") and not is_number(node.value):
        make = getattr(SafeConstructor(), f"construct_yaml_{kind}")
        return Number(repr(make(node)))
    return Number(node.value) if kind in ("int", "float") else node.value


COMPARATOR = Comparator(name="yaml", priority=50, recognises=recognises, compare=compare)

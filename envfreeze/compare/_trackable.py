"""The graph of objects in checkpoints and SavedModels, with its nodes called by the way that leads to them.

Nodes refer to each other by their places in a list, which comes from the order in which Python's sets and
dictionaries were walked when the model was saved, and is no result
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/trackable_object_graph.proto).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from envfreeze.compare import NotThisKind
from envfreeze.compare._limits import budget
from envfreeze.compare._tree import Number, Object, Value

_REFERENCES = ("node_id", "variable_node_id", "slot_node_id", "save_function", "restore_function")
_LISTS = ("children", "dependencies", "slot_variables", "attributes")
"""Fields whose order follows from that of the nodes."""


def by_ways(nodes: Value) -> tuple[dict[str, Value], Callable[[Value], Value]]:
    """The nodes by the shortest way of names from the root, the first by the alphabet of several.

    Returns:
        The nodes, in which references are ways too; and what turns another reference into a way.

    Raises:
        NotThisKind: a reference leads nowhere, or a node is none.
    """
    listed = nodes if isinstance(nodes, list) else [nodes]
    if not all(isinstance(node, Object) for node in listed):
        raise NotThisKind("a damaged graph of objects")
    ways = _ways(listed)

    def way(reference: Value) -> Value:
        return ways[_place(reference, len(listed))]

    found: dict[str, Value] = {}
    for place, node in enumerate(listed):
        found[ways[place]] = Object(
            node.kind, {key: _renamed(key, part, way) for key, part in node.parts.items()}
        )
    return dict(sorted(found.items())), way


def _ways(nodes: list[Object]) -> dict[int, str]:
    ways, pending = {0: "root"}, deque([0])
    while pending:
        place = pending.popleft()
        inside = sorted(
            (str(child.parts.get("local_name", "")), _place(child.parts.get("node_id"), len(nodes)))
            for field in ("children", "dependencies")
            for child in _items(nodes[place].parts.get(field, []))
            if isinstance(child, Object)
        )
        for name, target in inside:
            if target not in ways:
                ways[target] = f"{ways[place]}.{name}"
                budget().spend(len(ways[target]))  # a long chain would have ways of quadratic length
                pending.append(target)
    taken = set(ways.values())
    if len(taken) != len(ways):
        raise NotThisKind("a graph of objects in which two ways have one name")
    for place in range(len(nodes)):
        ways.setdefault(place, f"unreachable {place}")
    return ways


def _place(reference: Value, count: int) -> int:
    number = Number("0") if reference is None else reference
    place = int(number.text) if isinstance(number, Number) else -1
    if not 0 <= place < count:
        raise NotThisKind("a graph of objects with a reference that leads nowhere")
    return place


def _renamed(key: str, part: Value, way: Callable[[Value], Value]) -> Value:
    if key in _REFERENCES:
        return way(part)
    if isinstance(part, Object):
        inner = dict(part.parts)
        if part.kind in ("child", "slot"):
            for reference in ("node_id",) if part.kind == "child" else ("variable_node_id", "slot_node_id"):
                inner.setdefault(reference, Number("0"))
        renamed = Object(part.kind, {name: _renamed(name, item, way) for name, item in inner.items()})
        return [renamed] if key in _LISTS else renamed
    if isinstance(part, list):
        items = [_renamed("", item, way) for item in part]
        return sorted(items, key=repr) if key in _LISTS else items
    if isinstance(part, dict):
        return {name: _renamed("", item, way) for name, item in part.items()}
    return part


def _items(value: Value) -> list[Value]:
    return value if isinstance(value, list) else [value]

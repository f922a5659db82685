"""``saved_model.pb`` of a SavedModel of TensorFlow, field by field, without TensorFlow.

Its variables lie beside it and are a checkpoint (``checkpoint``). No results are: the order in which maps and
the nodes of the graph of objects are written, and the numbers in the names of traced functions and
captured tensors, which count what else was traced before.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare import _tensorflow as tensorflow
from envfreeze.compare._limits import whole
from envfreeze.compare._protobuf import mapped, parse
from envfreeze.compare._saved_model_messages import MAPS, MESSAGES
from envfreeze.compare._tally import Tally
from envfreeze.compare._trackable import by_ways
from envfreeze.compare._tree import Blob, Object, Value, add_trees

_START = re.compile(rb"\x08\x01\x12[\x80-\xff]*[\x01-\x7f]\x0a")
"""Version 1 of the schema, then a message that starts with a message."""
_COUNTED = re.compile(r"(__(?:inference|forward|backward)_.*?)_([0-9]+)(?=\Z|_)")
"""What ``tf.function`` calls a trace: ``ops.uid()`` is the number (``atomic_function.py``)."""
_LONG = 1000
"""Characters of a name that is not searched for such a number."""
_CAPTURED = "_user_specified_name"
"""An attribute of arguments: the name that the user gave; of what was captured, a number of ``ops.uid()``."""


def recognises(sample: Sample) -> bool:
    """By the suffix and the first bytes, as a message has no signature."""
    return sample.suffix == ".pb" and _START.match(sample.head) is not None


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value.

    Raises:
        NotThisKind: damaged, nested too deeply, or no SavedModel.
    """
    one, two = _Model(whole(original)), _Model(whole(replay))
    tally = Tally(options)
    if one.numbers != two.numbers:
        tally.aside("numbers of traced functions and captured tensors")
    add_trees(one.tree, two.tree, tally, root="$")
    return tally.finding("the same graph and objects; their order or encoding differ")


class _Model:
    """A model as a tree, with what was taken out of it."""

    def __init__(self, data: bytes) -> None:
        model = parse(data, "saved model", MESSAGES)
        if "meta_graphs" not in model.parts:
            raise NotThisKind("it has no graph")
        graphs = model.parts["meta_graphs"]
        self.tree = model
        self.numbers: list[tuple[str, int]] = []
        model.parts["meta_graphs"] = [
            self._graph(graph) for graph in (graphs if isinstance(graphs, list) else [graphs])
        ]

    def _graph(self, graph: Value) -> Value:
        if not isinstance(graph, Object):
            raise NotThisKind("it has no graph")
        found = _plain(graph)
        self._set_aside_captured(found)
        names = {name for name in _functions(found) if len(name) < _LONG and _COUNTED.search(name)}
        rewritten = _rewritten(found, self._names(names))
        objects = rewritten.parts.get("objects")
        if isinstance(objects, Object) and "nodes" in objects.parts:
            objects.parts["nodes"], way = by_ways(objects.parts["nodes"])
            for function in _values(objects.parts.get("concrete_functions")):
                bound = function.parts.get("bound_inputs", []) if isinstance(function, Object) else []
                if bound:
                    function.parts["bound_inputs"] = [way(number) for number in bound]
        _sort_functions(rewritten)
        return rewritten

    def _set_aside_captured(self, graph: Object) -> None:
        for function in _library(graph):
            arguments = function.parts.get("arg_attr") if isinstance(function, Object) else None
            for place, argument in arguments.items() if isinstance(arguments, dict) else ():
                attributes = argument.parts.get("attr") if isinstance(argument, Object) else None
                if not isinstance(attributes, dict):
                    continue
                name = attributes.get(_CAPTURED)
                held = name.parts.get("s") if isinstance(name, Object) else None
                if isinstance(held, Blob) and held.data.isdigit():
                    self.numbers.append((f"argument {place}", int(held.data)))
                    del attributes[_CAPTURED]

    def _names(self, names: set[str]) -> dict[str, str]:
        """Other names of functions: the number is replaced by its rank among those of one name."""
        groups: dict[str, list[tuple[int, str]]] = {}
        for name in names:
            match = _COUNTED.search(name)
            assert match is not None
            base = name[: match.start(2)] + name[match.end(2) :]
            groups.setdefault(base, []).append((int(match[2]), name))
        result = {}
        for base, members in sorted(groups.items()):
            for rank, (number, name) in enumerate(sorted(members)):
                self.numbers.append((base, number))
                result[name] = f"{base}#{rank}"
        return result


def _plain(value: Value) -> Any:
    """Maps as mappings, and contents of tensors as arrays."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, Object):
        return value
    if value.kind == "tensor":
        tensorflow.with_array(value)
    parts = {key: mapped(part) if key in MAPS else part for key, part in value.parts.items()}
    plain = {
        key: {name: _plain(item) for name, item in part.items()} if isinstance(part, dict) else _plain(part)
        for key, part in parts.items()
    }
    return Object(value.kind, plain, value.ordered)


def _functions(graph: Object) -> list[str]:
    """The names of the functions in the graph's library."""
    found = []
    for function in _library(graph):
        signature = function.parts.get("signature") if isinstance(function, Object) else None
        if isinstance(signature, Object):
            found.append(str(signature.parts.get("name", "")))
    return found


def _library(graph: Object) -> list[Value]:
    holder: Value = graph
    for field in ("graph", "library", "function"):
        holder = holder.parts.get(field) if isinstance(holder, Object) else None
    return holder if isinstance(holder, list) else [] if holder is None else [holder]


def _sort_functions(graph: Object) -> None:
    """The library by the names of its functions, whose order is no result."""
    library = _library(graph)
    names = _functions(graph)
    if library and len(names) == len(library) == len(set(names)):
        graph.parts["graph"].parts["library"].parts["function"] = dict(
            sorted(zip(names, library, strict=True), key=lambda pair: pair[0])
        )


def _values(value: Value) -> list[Value]:
    return list(value.values()) if isinstance(value, dict) else []


def _rewritten(value: Value, names: dict[str, str]) -> Any:
    """With other names for functions, wherever they stand as a whole text, a key or an attribute."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Blob):
        text = value.data.decode("utf-8", "replace") if len(value.data) < _LONG else ""
        return Blob(names[text].encode()) if text in names else value
    if isinstance(value, list) and not isinstance(value, tuple):
        return [_rewritten(item, names) for item in value]
    if isinstance(value, dict):
        return {names.get(key, key): _rewritten(item, names) for key, item in value.items()}
    if isinstance(value, Object):
        return Object(value.kind, {key: _rewritten(part, names) for key, part in value.parts.items()})
    return value


COMPARATOR = Comparator(
    name="saved_model", priority=86, recognises=recognises, compare=compare, isolated=True
)

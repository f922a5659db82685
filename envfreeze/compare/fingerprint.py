"""``fingerprint.pb`` of a SavedModel: hashes of what lies beside it, and a random identifier
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/fingerprint.proto).

The hashes follow from ``saved_model.pb`` and the index of the variables, which are compared themselves.
"""

from __future__ import annotations

from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import whole
from envfreeze.compare._protobuf import Message, parse
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import Object, add_trees

_MAX_SIZE = 1000
_MESSAGES = {
    "fingerprint": Message(
        "fingerprint",
        {
            1: ("saved_model_checksum", "int"),
            2: ("graph_def_program_hash", "int"),
            3: ("signature_def_hash", "int"),
            4: ("saved_object_graph_hash", "int"),
            5: ("checkpoint_hash", "int"),
            6: ("version", "version"),
            7: ("uuid", "text"),
        },
    ),
    "version": Message("version", {1: ("producer", "int"), 2: ("min_consumer", "int")}),
}
_ASIDES = {
    "saved_model_checksum": "checksum of saved_model.pb",
    "graph_def_program_hash": "hash of the graph",
    "saved_object_graph_hash": "hash of the graph of objects",
    "checkpoint_hash": "hash of the index of the variables",
    "uuid": "random identifier",
}


def recognises(sample: Sample) -> bool:
    """A small message that has the first five fields, and nothing that is not known."""
    if sample.suffix != ".pb" or not 20 < sample.size <= _MAX_SIZE:
        return False
    try:
        parts = parse(sample.head, "fingerprint", _MESSAGES).parts
    except NotThisKind:
        return False
    known = {name for name, _ in _MESSAGES["fingerprint"].fields.values()}
    return set(parts) <= known and len(parts) >= 5 and "saved_model_checksum" in parts


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Hashes of bytes and the identifier are set aside; the hash of the signatures counts.

    Raises:
        NotThisKind: it is none.
    """
    one, two = (_load(path) for path in (original, replay))
    tally = Tally(options)
    for name, aside in _ASIDES.items():
        if one.parts.pop(name, None) != two.parts.pop(name, None):
            tally.aside(aside)
    add_trees(one, two, tally, root="$")
    return tally.finding("the same fields; their encoding differs")


def _load(path: Path) -> Object:
    return parse(whole(path), "fingerprint", _MESSAGES)


COMPARATOR = Comparator(name="fingerprint", priority=87, recognises=recognises, compare=compare)

"""CatBoost's models (``.cbm``), tree by tree and feature by feature, without CatBoost.

A file is ``CBM1``, the length of the core, the core as a FlatBuffer
(https://github.com/catboost/catboost/tree/master/catboost/libs/model/flatbuffers: ``model.fbs``,
``features.fbs``, ``ctr_data.fbs``), and parts such as the tables of categories, of which the bytes count.
No results are: the identifier and the time of the training.
"""

from __future__ import annotations

import struct
from pathlib import Path

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._flatbuffers import Field, Reader
from envfreeze.compare._limits import whole
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import Blob, Object, Value, add_trees
from envfreeze.compare.json_ import parse

MAGIC = b"CBM1"
_VERSION = "FlabuffersModel_v1"
_LONG = 0xFFFFFFFF
"""In the place of a length that does not fit into 4 bytes, and stands in the 8 bytes after it."""


def _feature(*more: Field, index: int = -1) -> tuple[Field, ...]:
    return (Field("Index", "int", index), Field("FlatIndex", "int", index), Field("FeatureId", "text"), *more)


_USED = Field("UsedInModel", "bool", True)
_SCHEMA = {
    "core": (
        Field("FormatVersion", "text"),
        Field("Trees", "trees"),
        Field("Info", "[entry]"),
        Field("PartIds", "texts"),
    ),
    "entry": (Field("Key", "text"), Field("Value", "text")),
    "trees": (
        Field("ApproxDimension", "int"),
        Field("TreeSplits", "ints"),
        Field("TreeSizes", "ints"),
        Field("TreeStartOffsets", "ints"),
        Field("CatFeatures", "[categorical feature]"),
        Field("FloatFeatures", "[float feature]"),
        Field("OneHotFeatures", "[one-hot feature]"),
        Field("CtrFeatures", "[target feature]"),
        Field("LeafValues", "doubles"),
        Field("LeafWeights", "doubles"),
        Field("NonSymmetricStepNodes", "structs <u2,<u2"),
        Field("NonSymmetricNodeIdToLeafId", "uints"),
        Field("TextFeatures", "[text feature]"),
        Field("EstimatedFeatures", "[estimated feature]"),
        Field("Scale", "double", 1.0),
        Field("Bias", "double", 0.0),
        Field("MultiBias", "doubles"),
        Field("RepackedBins", "structs <u2,u1,u1"),
        Field("EmbeddingFeatures", "[embedding feature]"),
    ),
    "float feature": (
        Field("HasNans", "bool", False),
        Field("Index", "int", -1),
        Field("FlatIndex", "int", -1),
        Field("Borders", "floats"),
        Field("FeatureId", "text"),
        Field("NanValueTreatment", "byte"),
    ),
    "categorical feature": _feature(_USED),
    "text feature": _feature(_USED),
    "embedding feature": _feature(Field("Dimension", "int"), _USED),
    "estimated feature": (
        Field("SourceFeatureIndex", "int", -1),
        Field("CalcerId", "struct 16"),
        Field("LocalIndex", "int", -1),
        Field("Borders", "floats"),
    ),
    "one-hot feature": (Field("Index", "int", -1), Field("Values", "ints"), Field("StringValues", "texts")),
    "target feature": (Field("Ctr", "target statistic"), Field("Borders", "floats")),
    "target statistic": (
        Field("Base", "target base"),
        Field("TargetBorderIdx", "int"),
        Field("PriorNum", "float", 0.0),
        Field("PriorDenom", "float", 1.0),
        Field("Shift", "float", 0.0),
        Field("Scale", "float", 1.0),
    ),
    "target base": (
        Field("Combination", "combination"),
        Field("CtrType", "byte"),
        Field("TargetBorderClassifierIdx", "int"),
    ),
    "combination": (
        Field("CatFeatures", "ints"),
        Field("FloatSplits", "structs <i4,<f4"),
        Field("OneHotSplits", "structs <i4,<i4"),
    ),
}
_ASIDES = {"model_guid": "identifier of the model", "train_finish_time": "time of the training"}


def recognises(sample: Sample) -> bool:
    """By the first bytes."""
    return sample.head.startswith(MAGIC)


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value.

    Raises:
        NotThisKind: damaged, or of a version with fields that are not known.
    """
    one, two = _load(original), _load(replay)
    tally = Tally(options)
    for name, aside in _ASIDES.items():
        sides = [side["info"].pop(name, None) for side in (one, two)]
        if sides[0] != sides[1]:
            tally.aside(aside)
    add_trees(one, two, tally, root="model")
    return tally.finding("the same trees and features; their places in the file differ")


def _load(path: Path) -> dict[str, Value]:
    data = whole(path)
    if len(data) < 16:
        raise NotThisKind("it is cut off")
    length, start = struct.unpack("<I", data[4:8])[0], 8
    if length == _LONG:
        length, start = struct.unpack("<Q", data[8:16])[0], 16
    if length > len(data) - start:
        raise NotThisKind("it is cut off")
    core = Reader(data[start : start + length], _SCHEMA).root("core")
    parts = core.parts
    if parts["FormatVersion"] != _VERSION or not isinstance(parts["Trees"], Object):
        raise NotThisKind("a model of another version, or without trees")
    parts["info"] = _information(parts.pop("Info"))
    return {**parts, "parts": Blob(data[start + length :])}


def _information(entries: Value) -> dict[str, Value]:
    """What is told of the training, by name; values that are JSON as what they stand for."""
    found: dict[str, Value] = {}
    for entry in entries or []:
        assert isinstance(entry, Object)
        key, value = str(entry.parts["Key"]), entry.parts["Value"]
        if key in found:
            raise NotThisKind("a key comes twice")
        found[key] = value
        if isinstance(value, str) and value.startswith(("{", "[")):
            try:
                found[key] = parse(value)
            except NotThisKind:
                continue
    return found


COMPARATOR = Comparator(name="catboost", priority=88, recognises=recognises, compare=compare, isolated=True)

"""Models and logs of trainings: ONNX, TensorBoard, XGBoost, LightGBM, Keras."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from typing import Any

import numpy as np

from .. import encoders, flatbuffers
from ._experiment import ARRAY, DATED, DATES, METRIC, NOT_TYPES, TABLE, TEXT, TREE, Experiment, known
from .arrays import arrays, as_hdf5

known(
    "onnx",
    ".onnx",
    lambda found, **settings: encoders.onnx(
        {"w": found.weights, "c": found.counts, "l": np.array(found.rows)},
        [*found.labels, found.name],
        found.metric,
        **settings,
    ),
    *TREE[:4],
    benign={"order": {"order": -1}},
)
known(
    "events",
    ".1",
    lambda found, **settings: encoders.events([*found.rows, (99, found.metric)], found.name, **settings),
    METRIC,
    TABLE,
    {"another name": TEXT["another name"]},
    benign={f"start {n}": {"start": n} for n in (1.0, 1e9, 1.7e9, 1.8e9, 2e9)},
)


def as_ubjson(found: Experiment, *, sized: bool = False, reverse: bool = False) -> bytes:
    tree = {**arrays(found), "labels": list(found.labels), "metric": found.metric, "name": found.name}
    tree = {key: part.ravel() if isinstance(part, np.ndarray) else part for key, part in tree.items()}
    return encoders.ubjson(dict(list(tree.items())[:: -1 if reverse else 1]), sized=sized)


known(
    "ubjson",
    ".ubj",
    as_ubjson,
    {key: value for key, value in ARRAY.items() if "shape" not in key},
    *TREE[1:],
    benign={"sized": {"sized": True}, "order": {"reverse": True}, "both": {"sized": True, "reverse": True}},
)


def as_lightgbm(found: Experiment, *, longer: bool = False) -> bytes:
    def number(value: float) -> str:
        return f"{value!r}0" if longer and value == value and "." in repr(value) else repr(value)

    trees = [
        f"Tree={n}\nnum_leaves=6\nleaf_value={' '.join(number(float(value)) for value in row)}\n\n"
        for n, row in enumerate(found.weights)
    ]
    sizes = " ".join(str(len(tree)) for tree in trees)
    head = f"tree\nversion=v4\nfeature_names={' '.join(found.labels)}\ntree_sizes={sizes}\n\n"
    tail = (
        f"end of trees\n\nparameters:\n[objective: {found.name}]\n[rate: {found.metric}]\nend of parameters\n"
    )
    return (head + "".join(trees) + tail).encode()


known(
    "lightgbm",
    ".lgb",
    as_lightgbm,
    {key: value for key, value in NOT_TYPES.items() if "count" not in key},
    TEXT,
    METRIC,
    benign={"longer numbers": {"longer": True}},
)


def as_keras(found: Experiment, *, date: str = DATES[0], **settings: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(
            "metadata.json", json.dumps({"keras_version": "3.0", "date_saved": date.replace("T", "@")[:10]})
        )
        archive.writestr("config.json", json.dumps({"name": found.name, "classes": found.labels}))
        archive.writestr("model.weights.h5", as_hdf5(found, **settings))
    return stream.getvalue()


known("keras", ".keras", as_keras, *TREE, benign={**DATED, "chunks": {"chunks": True}})


def tarred(held: dict[str, bytes]) -> bytes:
    """A folder as one content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in held.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def saved_model_files(
    found: Experiment, *, identifier: str = "1", shards: int = 1, table: Any = None, **settings: Any
) -> dict[str, bytes]:
    """A SavedModel: constants in the graph, the rest as variables."""
    metric = encoders.field(1, 1) + encoders.field(5, struct.pack("<f", found.metric))
    rows = np.array([loss for _, loss in found.rows])
    shape = encoders.field(2, encoders.field(2, encoders.field(1, len(rows))))
    losses = encoders.field(1, 2) + shape + encoders.field(4, rows.tobytes())
    variables: dict[str, Any] = {
        "w": found.weights,
        "counts": found.counts,
        "steps": np.array([step for step, _ in found.rows]),
        "labels": [label.encode() for label in found.labels],
        **({"extra": np.zeros(2)} if found.extra else {}),
    }
    held = encoders.checkpoint(variables, shards=shards, order=settings.get("order", 1), **(table or {}))
    return {
        "m/saved_model.pb": encoders.saved_model({found.name: metric, "losses": losses}, **settings),
        "m/fingerprint.pb": encoders.fingerprint(identifier, len(identifier)),
        **{f"m/variables/{name}": data for name, data in held.items()},
    }


known(
    "saved-model",
    ".tar",
    lambda found, **settings: tarred(saved_model_files(found, **settings)),
    *TREE,
    benign={
        "identifier": {"identifier": "4096"},
        "numbers of functions": {"first": 4321},
        "order": {"order": -1},
        "numbers of objects": {"objects": -1},
        "shards": {"shards": 3},
        "blocks of the index": {"table": {"block": 10, "restart": 1}},
        "all": {"first": 9, "order": -1, "objects": -1, "shards": 2, "identifier": "22"},
    },
)


def as_tfrecord(found: Experiment, **settings: Any) -> bytes:
    rows = [{"step": [step], "loss": [float(loss)]} for step, loss in found.rows]
    rows.append(
        {
            "name": [found.name.encode()],
            "labels": [label.encode() for label in found.labels],
            "metric": [float(found.metric)],
            "weights": found.weights.ravel().tolist(),
            "counts": found.counts.tolist(),
            **({"extra": [1]} if found.extra else {}),
        }
    )
    return b"".join(encoders.record(encoders.example(row, **settings)) for row in rows)


known(
    "tfrecord",
    ".tfrecord",
    as_tfrecord,
    {key: value for key, value in NOT_TYPES.items() if "shape" not in key},
    *TREE[1:],
    benign={
        "order of features": {"order": -1},
        "not packed": {"packed": False},
        "both": {"order": -1, "packed": False},
    },
)


def as_catboost(
    found: Experiment, *, guid: str = "aa", date: str = DATES[0], gap: int = 0, defaults: bool = False
) -> bytes:
    def feature(index: int, name: str) -> flatbuffers.Table:
        borders = found.weights.astype("f4").ravel()
        flat = ("<i", index)
        return flatbuffers.Table([("<?", False) if defaults else None, flat, flat, borders, name, None])

    one_hot = flatbuffers.Table([("<i", 0), np.array([1], "<i4"), None])
    trees = flatbuffers.Table(
        [
            ("<i", 1),
            np.array([step for step, _ in found.rows], "<i4"),
            found.counts.astype("<i4"),
            None,
            None,
            [feature(index, name) for index, name in enumerate(found.labels)],
            [one_hot] if found.extra else None,
            None,
            np.array([loss for _, loss in found.rows]),
            *[None] * 5,
            ("<d", 1.0) if defaults else None,
            ("<d", found.metric),
        ]
    )
    information = {"params": json.dumps({"name": found.name}), "model_guid": guid, "train_finish_time": date}
    entries = [flatbuffers.Table(pair) for pair in information.items()]
    core = flatbuffers.flatbuffer(flatbuffers.Table(["FlabuffersModel_v1", trees, entries, None]), gap=gap)
    return b"CBM1" + struct.pack("<I", len(core)) + core


known(
    "catboost",
    ".cbm",
    as_catboost,
    {key: value for key, value in NOT_TYPES.items() if "shape" not in key},
    *TREE[1:],
    benign={
        **{f"date {date}": {"date": date} for date in DATES[1:4]},
        "identifier": {"guid": "bb"},
        "places": {"gap": 4},
        "defaults": {"defaults": True},
        "all": {"guid": "cc", "date": DATES[5], "gap": 8, "defaults": True},
    },
)

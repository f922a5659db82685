"""One small experiment, written in every format; what can be done to it that harms, and what does not."""

from __future__ import annotations

import base64
import bz2
import collections
import csv
import gzip
import io
import json
import lzma
import pickle
import pickletools
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import encoders


class Experiment(NamedTuple):
    weights: np.ndarray
    counts: np.ndarray
    labels: tuple[str, ...]
    metric: float
    rows: tuple[tuple[int, float], ...]
    name: str
    extra: bool = True


BASE = Experiment(
    weights=(np.arange(24, dtype="f4").reshape(4, 6) / 7 + 1),
    counts=np.array([3, 1, 2]),
    labels=("cat", "dog", "bird"),
    metric=0.9312,
    rows=tuple((step, round(0.9 - step / 16, 4)) for step in range(8)),
    name="forest",
)


def _weights(change: Callable[[np.ndarray], Any]) -> Experiment:
    weights = BASE.weights.copy()
    changed = change(weights)
    return BASE._replace(weights=weights if changed is None else changed)


def _put(value: float) -> Callable[[np.ndarray], None]:
    def change(weights: np.ndarray) -> None:
        weights[2, 3] = value

    return change


def _flip(weights: np.ndarray) -> None:
    weights.view("u4")[1, 2] ^= 1 << 21


ROWS = BASE.rows
ARRAY = {
    "a bit in an array": _weights(_flip),
    "NaN for a weight": _weights(_put(np.nan)),
    "infinity for a weight": _weights(_put(np.inf)),
    "a weight with another sign": _weights(lambda w: _put(-w[2, 3])(w)),
    "a weight of zero": _weights(_put(0)),
    "weights swapped": _weights(lambda w: w[:, ::-1].copy()),
    "weights transposed": _weights(lambda w: w.T.copy()),
    "weights of another type": _weights(lambda w: w.astype("f8")),
    "weights of another shape": _weights(lambda w: w.reshape(6, 4)),
    "a row of weights lost": _weights(lambda w: w[:-1].copy()),
    "a count changed": BASE._replace(counts=np.array([3, 1, 3])),
}
TEXT = {
    "labels swapped": BASE._replace(labels=("dog", "cat", "bird")),
    "a label lost": BASE._replace(labels=("cat", "dog")),
    "a label misspelt": BASE._replace(labels=("cat", "dog", "burd")),
    "another name": BASE._replace(name="forest2"),
}
METRIC = {
    "the metric's last digit": BASE._replace(metric=0.9313),
    "the metric's sign": BASE._replace(metric=-0.9312),
    "the metric is NaN": BASE._replace(metric=float("nan")),
    "the metric is 100 times as large": BASE._replace(metric=93.12),
}
TABLE = {
    "a row lost": BASE._replace(rows=ROWS[:-1]),
    "the first row lost": BASE._replace(rows=ROWS[1:]),
    "a row twice": BASE._replace(rows=(*ROWS, ROWS[-1])),
    "two rows swapped": BASE._replace(rows=(*ROWS[:2], ROWS[3], ROWS[2], *ROWS[4:])),
    "a loss changed": BASE._replace(rows=(*ROWS[:4], (4, 0.6501), *ROWS[5:])),
    "a step changed": BASE._replace(rows=(*ROWS[:7], (8, ROWS[7][1]))),
    "a loss is NaN": BASE._replace(rows=(*ROWS[:4], (4, float("nan")), *ROWS[5:])),
}
LOST = {"a part lost": BASE._replace(extra=False)}
ALL = {**ARRAY, **TEXT, **METRIC, **TABLE, **LOST}

Build = Callable[..., bytes]


class Format(NamedTuple):
    suffix: str
    build: Build
    harmful: dict[str, Experiment]
    benign: dict[str, Callable[[], tuple[bytes, bytes]]]


FORMATS: dict[str, Format] = {}


def known(
    name: str, suffix: str, build: Build, *groups: dict[str, Experiment], benign: dict[str, Any]
) -> None:
    """Benign changes are keyword arguments of the builder, or pairs of contents (a callable)."""

    def pair(change: Any) -> Callable[[], tuple[bytes, bytes]]:
        return change if callable(change) else lambda: (build(BASE), build(BASE, **change))

    harmful = {key: value for group in groups for key, value in group.items()}
    FORMATS[name] = Format(suffix, build, harmful, {key: pair(change) for key, change in benign.items()})


DATES = [
    "2023-01-01T00:00:00",
    "2024-02-29T12:30:01",
    "2025-12-31T23:59:59",
    "2031-07-04T08:09:10",
    "2001-09-09T01:46:40",
    "2026-03-29T02:30:00",
    "2028-02-29T00:00:00",
    "2030-10-10T10:10:10",
    "2038-01-19T03:14:07",
    "2020-06-15T18:45:12",
    "2022-11-30T21:05:59",
]
DATED = {f"date {date}": {"date": date} for date in DATES[1:]}
REORDERED = {"order of keys": {"reverse": True}}


def values(
    found: Experiment, *, date: str = DATES[0], elapsed: float = 1.5, reverse: bool = False
) -> dict[str, Any]:
    """For what holds trees of plain values."""
    tree = {
        "name": found.name,
        "labels": list(found.labels),
        "accuracy": found.metric,
        "weights": found.weights.tolist(),
        "counts": found.counts.tolist(),
        "history": [{"step": step, "loss": loss} for step, loss in found.rows],
        "timestamp": date,
        "elapsed": elapsed,
        **({"extra": 1} if found.extra else {}),
    }
    return dict(reversed(tree.items())) if reverse else tree


def as_json(found: Experiment, *, indent: int | None = None, **settings: Any) -> bytes:
    return json.dumps(values(found, **settings), indent=indent).encode()


TREE = (ARRAY, TEXT, METRIC, TABLE, LOST)
NOT_TYPES = {key: value for key, value in ARRAY.items() if key != "weights of another type"}
known(
    "json",
    ".json",
    as_json,
    NOT_TYPES,
    *TREE[1:],
    benign={
        **DATED,
        **REORDERED,
        **{f"indent {n}": {"indent": n} for n in (0, 1, 2, 4)},
        **{f"elapsed {n}": {"elapsed": n} for n in (0.1, 2, 99.9)},
    },
)


def as_yaml(found: Experiment, *, flow: bool | None = False, width: int = 80, **settings: Any) -> bytes:
    import yaml

    tree = values(found, **settings)
    return yaml.safe_dump(tree, default_flow_style=flow, sort_keys=False, width=width).encode()


known(
    "yaml",
    ".yaml",
    as_yaml,
    NOT_TYPES,
    *TREE[1:],
    benign={**DATED, **REORDERED, "flow": {"flow": True}, "mixed": {"flow": None}, "wide": {"width": 999}},
)


def as_toml(found: Experiment, **settings: Any) -> bytes:
    import tomli_w

    return tomli_w.dumps(values(found, **settings)).encode()


known(
    "toml",
    ".toml",
    as_toml,
    NOT_TYPES,
    *TREE[1:],
    benign={**DATED, **REORDERED, "comment": lambda: (as_toml(BASE), b"# by hand\n" + as_toml(BASE))},
)


def as_ini(found: Experiment, *, space: str = " ", reverse: bool = False) -> bytes:
    pairs = [("name", found.name), ("labels", ",".join(found.labels)), ("accuracy", repr(found.metric))]
    pairs += [("extra", "1")] if found.extra else []
    body = "".join(f"{key}{space}={space}{value}\n" for key, value in pairs[:: -1 if reverse else 1])
    return f"[run]\n{body}".encode()


known(
    "ini",
    ".ini",
    as_ini,
    TEXT,
    METRIC,
    LOST,
    benign={
        **REORDERED,
        "space": {"space": ""},
        "comment": lambda: (as_ini(BASE), b"; by hand\n" + as_ini(BASE)),
    },
)


def as_jsonl(found: Experiment, *, reverse: bool = False, space: str = " ") -> bytes:
    rows = [{"step": step, "loss": loss, "name": found.name} for step, loss in found.rows]
    rows.append({"accuracy": found.metric, "labels": list(found.labels)})
    dumped = (
        json.dumps(dict(reversed(row.items())) if reverse else row, separators=("," + space, ":" + space))
        for row in rows
    )
    return "".join(line + "\n" for line in dumped).encode()


known("jsonl", ".jsonl", as_jsonl, TEXT, METRIC, TABLE, benign={**REORDERED, "space": {"space": ""}})


def as_table(
    found: Experiment, *, separator: str = ",", quoting: int = 0, ends: str = "\n", wall: float = 0.0
) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator=ends)
    writer.writerow(["step", "loss", "name", "wall_time"])
    for step, loss in found.rows:
        writer.writerow([step, repr(loss), found.name, repr(1.0 + step + wall)])
    writer.writerow(["all", repr(found.metric), "/".join(found.labels), ""])
    return stream.getvalue().encode()


QUOTED = {
    "quotes": {"quoting": csv.QUOTE_ALL},
    "line ends": {"ends": "\r\n"},
    "some quotes": {"quoting": csv.QUOTE_NONNUMERIC},
}
WALL = {f"wall time {n}": {"wall": n} for n in (0.25, 1.5, 60.0)}
known("csv", ".csv", as_table, TEXT, METRIC, TABLE, benign={**QUOTED, **WALL})
known(
    "tsv",
    ".tsv",
    lambda found, **settings: as_table(found, separator="\t", **settings),
    TEXT,
    METRIC,
    TABLE,
    benign={key: {"separator": "\t", **change} for key, change in {**QUOTED, **WALL}.items()},
)
FORMATS["tsv"] = FORMATS["tsv"]._replace(
    benign={
        key: (lambda change=change: tuple(as_table(BASE, separator="\t", **part) for part in ({}, change)))
        for key, change in {**QUOTED, **WALL}.items()
    }
)


def as_log(
    found: Experiment,
    *,
    date: str = "2024-01-01",
    took: str = "1.5 s",
    at: str = "7f00aa00bb00",
    ends: str = "\n",
) -> bytes:
    lines = [f"{date} 12:00:{step:02d} INFO epoch {step} loss: {loss}" for step, loss in found.rows]
    lines += [f"model {found.name} at <object at 0x{at}>", f"classes: {' '.join(found.labels)}"]
    lines += [f"elapsed: {took}", f"accuracy = {found.metric}"]
    return (ends.join(lines) + ends).encode()


known(
    "log",
    ".txt",
    as_log,
    TEXT,
    METRIC,
    TABLE,
    benign={
        **{f"date {date[:10]}": {"date": date[:10]} for date in DATES[1:]},
        **{f"took {text}": {"took": text} for text in ("0.1 s", "2 min", "0:01:30", "900 ms")},
        **{f"address {text}": {"at": text} for text in ("7f11aa22bb33", "55d0c0ffee00", "7ffc12345678")},
        "line ends": {"ends": "\r\n"},
        "trailing space": {"ends": "  \n"},
    },
)


def as_xml(
    found: Experiment, *, indent: str = "", reverse: bool = False, comment: str = "", date: str = DATES[0]
) -> bytes:
    attributes = [f'name="{found.name}"', f'accuracy="{found.metric}"'][:: -1 if reverse else 1]
    parts = [f"<label>{label}</label>" for label in found.labels] + ["<extra/>"] * found.extra
    parts += [f'<row step="{step}">{loss}</row>' for step, loss in found.rows] + [
        f"<created>{date}</created>"
    ]
    body = indent.join(["", *parts, ""])
    return f"<?xml version='1.0'?>\n{comment}<run {' '.join(attributes)}>{body}</run>".encode()


known(
    "xml",
    ".xml",
    as_xml,
    TEXT,
    METRIC,
    TABLE,
    LOST,
    benign={
        **DATED,
        "order of attributes": {"reverse": True},
        "comment": {"comment": "<!-- by hand -->"},
        **{f"indent {len(text)}": {"indent": text} for text in ("\n", "\n  ", "\n\t   ")},
    },
)


def as_svg(found: Experiment, *, salt: int = 0, date: str = DATES[0], indent: str = "\n") -> bytes:
    identifiers = [f"p{(salt + 1) * 7919 * (n + 1):010x}" for n in range(2)]
    points = " ".join(f"{step},{loss}" for step, loss in found.rows)
    weights = "".join(
        f'<rect x="{x}" width="{value}"/>{indent}' for x, value in enumerate(found.weights.ravel())
    )
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/">',
        f"<metadata><dc:date>{date}</dc:date></metadata>",
        *(f'<clipPath id="{name}"><rect width="{n}"/></clipPath>' for n, name in enumerate(identifiers)),
        f'<g clip-path="url(#{identifiers[0]})"><polyline points="{points}"/></g>',
        f'<g clip-path="url(#{identifiers[1]})">{weights}</g>',
        *(f"<text>{label}</text>" for label in (*found.labels, found.name, found.metric)),
        "</svg>",
    ]
    return indent.join(parts).encode()


known(
    "svg",
    ".svg",
    as_svg,
    {key: value for key, value in NOT_TYPES.items() if "count" not in key and "shape" not in key},
    TEXT,
    METRIC,
    TABLE,
    benign={**DATED, **{f"salt {n}": {"salt": n} for n in range(1, 7)}, "indent": {"indent": "\n    "}},
)


def as_png(found: Experiment, *, level: int = 6, text: str = "", kind: str = "PNG", **settings: Any) -> bytes:
    import PIL.Image
    import PIL.PngImagePlugin

    pixels = np.zeros((16, 24, 3), "u1")
    pixels[:4, :6, 0] = np.nan_to_num(found.weights[:4, :6].astype("f8") * 50, posinf=255).astype("i8") & 255
    pixels[8, : len(found.rows), 1] = [int(np.nan_to_num(loss) * 200) for _, loss in found.rows]
    pixels[10, :3, 2] = found.counts * 40
    picture, stream = PIL.Image.fromarray(pixels), io.BytesIO()
    if kind == "PNG":
        information = PIL.PngImagePlugin.PngInfo()
        if text:
            information.add_text("Creation Time", text)
        settings |= {"pnginfo": information, "compress_level": level}
    picture.save(stream, kind, **settings)
    return stream.getvalue()


PIXELS = {
    key: ARRAY[key]
    for key in (
        "a weight of zero",
        "weights swapped",
        "a row of weights lost",
        "a count changed",
        "NaN for a weight",
    )
} | {"a loss changed much": BASE._replace(rows=(*ROWS[:4], (4, 0.1), *ROWS[5:]))}
PIXELS["a row of weights lost"] = _weights(lambda w: np.vstack([w[:-1], np.zeros((1, 6), "f4")]))
known(
    "png",
    ".png",
    as_png,
    PIXELS,
    benign={
        **{f"level {n}": {"level": n} for n in (0, 1, 3, 9)},
        **{f"text {date}": {"text": date} for date in DATES},
    },
)
known(
    "tiff",
    ".tiff",
    lambda found, **settings: as_png(found, kind="TIFF", **settings),
    PIXELS,
    benign={
        **{f"compression {n}": {"compression": n} for n in ("tiff_lzw", "tiff_deflate", "packbits")},
        **{f"date {date}": {"tiffinfo": {306: date}} for date in DATES},
    },
)
known(
    "jpeg",
    ".jpg",
    lambda found, **settings: as_png(found, kind="JPEG", quality=100, subsampling=0, **settings),
    PIXELS,
    benign={
        **{f"comment {date}": {"comment": date} for date in DATES},
        "optimised": {"optimize": True},
        "progressive": {"progressive": True},
    },
)


def as_notebook(
    found: Experiment,
    *,
    count: int = 1,
    identifier: str = "aa",
    time: str = "",
    lines: bool = False,
    text: str = "",
) -> bytes:
    source = f"model = '{found.name}'\nprint(1)\n"
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": as_log(found).decode().splitlines(True)},
        {
            "output_type": "execute_result",
            "execution_count": count,
            "metadata": {},
            "data": {
                "text/plain": repr(found.metric),
                "image/png": base64.b64encode(as_png(found, text=text)).decode(),
            },
        },
    ]
    cell = {
        "cell_type": "code",
        "id": identifier,
        "execution_count": count,
        "metadata": {"execution": {"iopub.status.busy": time}} if time else {},
        "source": source.splitlines(True) if lines else source,
        "outputs": outputs if found.extra else outputs[:1],
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


known(
    "notebook",
    ".ipynb",
    as_notebook,
    PIXELS,
    TEXT,
    METRIC,
    TABLE,
    LOST,
    benign={
        **{f"count {n}": {"count": n} for n in (2, 3, 99)},
        **{f"cell {n}": {"identifier": n} for n in ("b", "c1")},
        **{f"time {date}": {"time": date} for date in DATES},
        "lines": {"lines": True},
        **{f"text {date}": {"text": date} for date in DATES[:2]},
    },
)


def arrays(found: Experiment) -> dict[str, np.ndarray]:
    both = {"weights": found.weights, "counts": found.counts, "losses": np.array(found.rows)}
    return both if found.extra else {"weights": found.weights, "losses": np.array(found.rows)}


def as_npy(
    found: Experiment, *, version: tuple[int, int] = (1, 0), order: str = "C", ends: str = "="
) -> bytes:
    stream = io.BytesIO()
    array = np.asarray(found.weights, dtype=found.weights.dtype.newbyteorder(ends), order=order)
    np.lib.format.write_array(stream, array, version)
    return stream.getvalue()


ONE_ARRAY = {key: value for key, value in ARRAY.items() if key != "a count changed"}
known(
    "npy",
    ".npy",
    as_npy,
    ONE_ARRAY,
    benign={
        "version 2": {"version": (2, 0)},
        "version 3": {"version": (3, 0)},
        "order": {"order": "F"},
        "byte order": {"ends": ">"},
        "both": {"order": "F", "ends": ">"},
    },
)


def as_npz(found: Experiment, *, packed: bool = False, reverse: bool = False) -> bytes:
    stream = io.BytesIO()
    held = dict(list(arrays(found).items())[:: -1 if reverse else 1])
    (np.savez_compressed if packed else np.savez)(stream, **held)
    return stream.getvalue()


ARRAYS = (ARRAY, TABLE, LOST)
known("npz", ".npz", as_npz, *ARRAYS, benign={"packed": {"packed": True}, "order": {"reverse": True}})


class Model:
    """Something that a pickle refers to by name."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


def as_pickle(
    found: Experiment, *, protocol: int = 4, reverse: bool = False, optimised: bool = False
) -> bytes:
    parts = {
        **arrays(found),
        "labels": found.labels,
        "set": set(found.labels),
        "metric": found.metric,
        "name": found.name,
        "rows": list(found.rows),
        "order": collections.OrderedDict(a=1, b=2),
    }
    parts = dict(list(parts.items())[:: -1 if reverse else 1])
    data = pickle.dumps({"model": Model(**parts), "plain": parts}, protocol)
    return pickletools.optimize(data) if optimised else data


known(
    "pickle",
    ".pkl",
    as_pickle,
    *TREE,
    {"another float for an integer": BASE._replace(rows=tuple((float(step), loss) for step, loss in ROWS))},
    benign={
        **{f"protocol {n}": {"protocol": n} for n in (0, 1, 2, 3, 5)},
        **REORDERED,
        "optimised": {"optimised": True},
        **{f"protocol {n}, reordered": {"protocol": n, "reverse": True} for n in (2, 5)},
    },
)


def as_torch(found: Experiment, **settings: Any) -> bytes:
    held = {**arrays(found), "labels": list(found.labels), "metric": found.metric, "name": found.name}
    return encoders.torch(held, **settings)


known(
    "torch",
    ".pt",
    as_torch,
    *TREE,
    benign={
        **{f"folder {n}": {"folder": n} for n in ("model", "best", "last")},
        **{f"device {n}": {"device": n} for n in ("cuda:0", "cuda:1", "mps")},
        **{f"serial {n}": {"identifier": n} for n in ("2", "999")},
    },
)


def as_safetensors(found: Experiment, **settings: Any) -> bytes:
    metadata = {"name": found.name, "metric": repr(found.metric), "labels": ",".join(found.labels)}
    return encoders.safetensors(arrays(found), metadata, **settings)


known(
    "safetensors",
    ".safetensors",
    as_safetensors,
    *TREE,
    benign={
        "order": {"order": -1},
        **{f"padding {n}": {"padding": n} for n in (1, 8, 64)},
        "both": {"order": -1, "padding": 3},
    },
)


def as_hdf5(found: Experiment, *, reverse: bool = False, block: int = 0, **settings: Any) -> bytes:
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=block) as file:
        for name, array in list(arrays(found).items())[:: -1 if reverse else 1]:
            file.create_dataset(f"layers/{name}", data=array, **settings)
        file.attrs["metric"] = found.metric
        file.attrs["name"] = found.name
        file["labels"] = list(found.labels)
    return stream.getvalue()


known(
    "hdf5",
    ".h5",
    as_hdf5,
    *TREE,
    benign={
        "order": {"reverse": True},
        "gzip": {"compression": "gzip"},
        "lzf": {"compression": "lzf"},
        "chunks": {"chunks": True},
        "shuffle": {"shuffle": True, "chunks": True},
        "checksum": {"fletcher32": True, "chunks": True},
        "times": {"track_times": True},
    },
)


def frame(found: Experiment) -> Any:
    import pyarrow

    return pyarrow.table(
        {
            "step": [step for step, _ in found.rows],
            "loss": [loss for _, loss in found.rows],
            "name": [found.name] * len(found.rows),
            "metric": [found.metric] * len(found.rows),
            "labels": [list(found.labels)] * len(found.rows),
            "weights": [found.weights.ravel().tolist()] * len(found.rows),
            **({"extra": [None, *range(len(found.rows) - 1)]} if found.extra else {}),
        }
    )


COLUMNS = (
    {key: value for key, value in NOT_TYPES.items() if "count" not in key and "shape" not in key},
    *TREE[1:],
)


def as_parquet(found: Experiment, **settings: Any) -> bytes:
    import pyarrow.parquet

    stream = io.BytesIO()
    pyarrow.parquet.write_table(frame(found), stream, **settings)
    return stream.getvalue()


known(
    "parquet",
    ".parquet",
    as_parquet,
    *COLUMNS,
    benign={
        **{f"{n}": {"compression": n} for n in ("none", "gzip", "zstd", "brotli")},
        "plain": {"use_dictionary": False},
        **{f"groups of {n}": {"row_group_size": n} for n in (1, 3)},
        "version": {"version": "1.0"},
        "pages": {"data_page_version": "2.0"},
        "statistics": {"write_statistics": False},
    },
)


def as_feather(found: Experiment, **settings: Any) -> bytes:
    import pyarrow.feather

    stream = io.BytesIO()
    pyarrow.feather.write_feather(frame(found), stream, **settings)
    return stream.getvalue()


known(
    "feather",
    ".feather",
    as_feather,
    *COLUMNS,
    benign={
        **{f"{n}": {"compression": n} for n in ("zstd", "uncompressed")},
        **{f"chunks of {n}": {"chunksize": n} for n in (1, 3)},
    },
)


def as_sqlite(found: Experiment, *, page: int = 4096, freed: int = 0, vacuum: bool = False) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"PRAGMA page_size = {page}")
    connection.execute("CREATE TABLE runs (name TEXT, metric REAL, weights BLOB, labels TEXT)")
    connection.execute("CREATE TABLE history (step INTEGER, loss REAL)")
    connection.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?)",
        (found.name, str(found.metric), as_npy(found), ",".join(found.labels)),
    )
    connection.executemany(
        "INSERT INTO history VALUES (?, ?)", [(step, str(loss)) for step, loss in found.rows]
    )
    if found.extra:
        connection.execute("CREATE INDEX by_step ON history (step)")
    connection.commit()
    for _ in range(freed):
        connection.execute("CREATE TABLE junk AS SELECT randomblob(5000)")
        connection.execute("DROP TABLE junk")
        connection.commit()
    if vacuum:
        connection.execute("VACUUM")
    return connection.serialize()


known(
    "sqlite",
    ".db",
    as_sqlite,
    ONE_ARRAY,
    *TREE[1:],
    benign={
        **{f"page {n}": {"page": n} for n in (1024, 8192)},
        **{f"freed {n}": {"freed": n} for n in (1, 2, 3)},
        "vacuum": {"freed": 1, "vacuum": True},
    },
)


def as_mat(found: Experiment, *, packed: bool = False, date: str = "") -> bytes:
    from scipy.io import savemat

    stream = io.BytesIO()
    held: dict[str, Any] = {
        **arrays(found),
        "labels": np.array(found.labels, dtype=object),
        "name": found.name,
    }
    savemat(stream, {**held, "run": {"metric": found.metric}}, do_compression=packed)
    data = stream.getvalue()
    return data[:60] + date.ljust(40).encode() + data[100:] if date else data


known(
    "mat",
    ".mat",
    as_mat,
    *TREE,
    benign={"packed": {"packed": True}, **{f"date {date}": {"date": date} for date in DATES}},
)

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


def as_pdf(found: Experiment, **settings: Any) -> bytes:
    lines = [f"{step} {loss}" for step, loss in found.rows] + [found.name, str(found.metric), *found.labels]
    return encoders.pdf(lines, **settings)


known(
    "pdf",
    ".pdf",
    as_pdf,
    TEXT,
    METRIC,
    TABLE,
    benign={
        **{f"date {n}": {"date": n} for n in ("D:20240229123001Z", "D:20251231235959+01'00'", "D:20310704")},
        **{f"id {n}": {"identifier": n} for n in ("01", "ff", "c0ffee")},
        "packed": {"packed": True},
        "order": {"order": -1},
        "all": {"packed": True, "order": -1, "identifier": "aa", "date": "D:20250101"},
    },
)


def files(found: Experiment) -> dict[str, bytes]:
    held = {"metrics.json": as_json(found), "deep/weights.npz": as_npz(found), "log.txt": as_log(found)}
    return held if found.extra else {"metrics.json": held["metrics.json"]}


def as_zip(
    found: Experiment, *, year: int = 1980, packed: bool = False, reverse: bool = False, system: int = 3
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in list(files(found).items())[:: -1 if reverse else 1]:
            entry = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system = 8 if packed else 0, system
            archive.writestr(entry, data)
    return stream.getvalue()


known(
    "zip",
    ".whl",
    as_zip,
    *TREE,
    benign={
        **{f"year {n}": {"year": n} for n in (1999, 2024, 2030)},
        "packed": {"packed": True},
        "order": {"reverse": True},
        "system": {"system": 0},
    },
)


def as_tar(
    found: Experiment,
    *,
    time: int = 0,
    owner: str = "ada",
    kind: int = tarfile.GNU_FORMAT,
    reverse: bool = False,
) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as archive:
        for name, data in list(files(found).items())[:: -1 if reverse else 1]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.uname = len(data), time, owner
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


known(
    "tar",
    ".tar",
    as_tar,
    *TREE,
    benign={
        **{f"time {n}": {"time": n} for n in (1, 10**9, 2 * 10**9)},
        "owner": {"owner": "bob"},
        "pax": {"kind": tarfile.PAX_FORMAT},
        "ustar": {"kind": tarfile.USTAR_FORMAT},
        "order": {"reverse": True},
    },
)


def _zst(data: bytes, level: int) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=level).compress(data)


for _name, _pack, _levels in (
    ("gz", lambda data, level: gzip.compress(data, level, mtime=level), (1, 3, 5, 9)),
    ("bz2", bz2.compress, (2, 5, 8)),
    ("xz", lambda data, level: lzma.compress(data, preset=level), (3, 6)),
    ("zst", _zst, (3, 9, 15)),
):

    def _build(found: Experiment, *, level: int = 1, pack: Any = _pack, **settings: Any) -> bytes:
        return pack(as_tar(found, **settings), level)

    known(
        _name,
        f".tar.{_name}",
        _build,
        *TREE,
        benign={
            **{f"level {n}": {"level": n} for n in _levels},
            "time": {"time": 99},
            "both": {"level": _levels[0], "owner": "bob"},
        },
    )


def as_office(found: Experiment, *, date: str = DATES[0], year: int = 1980) -> bytes:
    """A workbook: sheets of XML in a ZIP archive (ECMA-376)."""
    rows = "".join(
        f'<row r="{step}"><c r="A{step}"><v>{step}</v></c><c r="B{step}"><v>{loss}</v></c></row>'
        for step, loss in found.rows
    )
    core = (
        '<cp:coreProperties xmlns:cp="x" xmlns:dcterms="y" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<dcterms:modified xsi:type="dcterms:W3CDTF">{date}Z</dcterms:modified></cp:coreProperties>'
    )
    texts = "".join(f"<si><t>{label}</t></si>" for label in (*found.labels, found.name, found.metric))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in (
            ("xl/sheet1.xml", f"<sheet><data>{rows}</data></sheet>"),
            ("xl/strings.xml", f"<sst>{texts}</sst>"),
            ("docProps/core.xml", core),
        ):
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), data)
    return stream.getvalue()


known(
    "office",
    ".xlsx",
    as_office,
    TEXT,
    METRIC,
    TABLE,
    benign={**DATED, **{f"year {n}": {"year": n} for n in (2001, 2024)}},
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


def elf(text: bytes = b"code", identifier: bytes = b"\1" * 20, data: bytes = b"data") -> bytes:
    """A library of a few sections."""
    import struct

    note = struct.pack("<III", 4, len(identifier), 3) + b"GNU\0" + identifier
    names = b"\0.text\0.data\0.note.gnu.build-id\0.shstrtab\0"
    bodies = [(".text", text), (".data", data), (".note.gnu.build-id", note), (".shstrtab", names)]
    offset, headers, out = 64, [bytes(64)], b""
    for name, body in bodies:
        place = names.index(b"\0" + name.encode() + b"\0") + 1
        headers.append(struct.pack("<IIQQQQIIQQ", place, 1, 0, 0, offset, len(body), 0, 0, 1, 0))
        out, offset = out + body, offset + len(body)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, offset, 0, 64, 0, 0, 64, len(headers), len(headers) - 1
    )
    return head + out + b"".join(headers)


def as_elf(found: Experiment, *, identifier: int = 1) -> bytes:
    text = found.weights.tobytes() + str(found.weights.dtype).encode() + str(found.weights.shape).encode()
    held = "".join((*found.labels, found.name, repr(found.metric), repr(found.rows), str(found.extra)))
    return elf(text + found.counts.tobytes(), bytes([identifier]) * 20, held.encode())


known("elf", ".so", as_elf, *TREE, benign={f"build {n}": {"identifier": n} for n in (2, 3, 250)})


def damaged(data: bytes) -> dict[str, bytes]:
    """Files that are no longer what was written."""
    return {
        "half a file": data[: len(data) // 2],
        "cut at the end": data[: -max(2, len(data) // 20)],
        "empty": b"",
    }


DAMAGE = tuple(damaged(b"1234"))

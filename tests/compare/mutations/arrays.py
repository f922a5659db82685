"""Arrays and checkpoints: npy, npz, pickle, torch, safetensors, HDF5, MATLAB."""

from __future__ import annotations

import collections
import functools
import io
import pickle
import pickletools
import warnings
import zipfile
from typing import Any

import numpy as np

from .. import encoders
from ._experiment import ARRAY, BASE, DATES, LOST, REORDERED, ROWS, TABLE, TREE, Experiment, known


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


def as_legacy_torch(found: Experiment, **settings: Any) -> bytes:
    held = {**arrays(found), "labels": list(found.labels), "metric": found.metric, "name": found.name}
    return encoders.legacy_torch(held, **settings)


known(
    "torch-legacy",
    ".pth",
    as_legacy_torch,
    *TREE,
    benign={
        **{f"device {n}": {"device": n} for n in ("cuda:0", "cuda:1", "mps")},
        "order of storages": {"order": -1},
    },
)


def as_joblib(
    found: Experiment, *, compress: Any = 0, protocol: int = 4, reverse: bool = False, order: str = "C"
) -> bytes:
    import joblib

    held = {**arrays(found), "labels": found.labels, "metric": found.metric, "name": found.name}
    held["rows"] = list(found.rows)
    held["weights"] = np.asarray(held["weights"], order=order)
    stream = io.BytesIO()
    joblib.dump(dict(list(held.items())[:: -1 if reverse else 1]), stream, compress, protocol)
    return stream.getvalue()


PACKED = {name: {"compress": (name, 3)} for name in ("zlib", "gzip", "bz2", "xz")}
known(
    "joblib",
    ".joblib",
    as_joblib,
    *TREE,
    benign={
        **{f"protocol {n}": {"protocol": n} for n in (2, 3, 5)},
        "order of keys": {"reverse": True},
        "order in memory": {"order": "F"},
    },
)
for _name, _settings in PACKED.items():

    def _packed(found: Experiment, *, settings: dict[str, Any] = _settings, **more: Any) -> bytes:
        return as_joblib(found, **{**settings, **more})

    _benign = {"level": {"compress": (_name, 6)}, "order of keys": {"reverse": True}}
    known(
        f"joblib-{_name}",
        ".joblib",
        _packed,
        {"a bit in an array": ARRAY["a bit in an array"]},
        benign=_benign,
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


def zarr_files(
    found: Experiment,
    *,
    version: int = 3,
    chunks: tuple[int, int] = (2, 3),
    shards: tuple[int, int] | None = None,
    packed: bool = True,
    consolidated: bool = False,
) -> dict[str, bytes]:
    """A store, by the keys of its files."""
    import zarr

    held: dict[str, Any] = {}
    store = zarr.storage.MemoryStore(held)
    group = zarr.open_group(store, mode="w", zarr_format=version)
    group.attrs.update({"metric": found.metric, "name": found.name, "rows": list(found.rows)})
    compressors = "auto" if packed else None
    group.create_array("deep/w", data=found.weights, chunks=chunks, shards=shards, compressors=compressors)
    group.create_array("counts", data=found.counts)
    labels = np.array(found.labels, dtype=np.dtypes.StringDType())
    group.create_array("labels", data=labels)
    if found.extra:
        group.create_array("extra", data=np.float64(2.5))
    if consolidated:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(store)
    return {key: value.to_bytes() for key, value in sorted(held.items())}


def as_zarr_zip(found: Experiment, **settings: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for key, data in zarr_files(found, **settings).items():
            archive.writestr(zipfile.ZipInfo(key), data)
    return stream.getvalue()


for _version in (2, 3):
    _layouts: dict[str, Any] = {
        "chunks": {"chunks": (4, 6)},
        "small chunks": {"chunks": (1, 1)},
        "uncompressed": {"packed": False},
        "consolidated": {"consolidated": True},
    }
    if _version == 3:
        _layouts["shards"] = {"shards": (4, 6)}
        _layouts["both"] = {"shards": (2, 6), "packed": False}
    known(
        f"zarr-{_version}",
        ".zip",
        functools.partial(as_zarr_zip, version=_version),
        {key: value for key, value in ARRAY.items() if key != "weights of another shape"},
        *TREE[1:],
        benign=_layouts,
    )

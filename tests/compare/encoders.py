"""Small writers of formats whose own libraries are not among the tests' needs."""

from __future__ import annotations

import copyreg
import io
import json
import pickle
import struct
import sys
import types
import zipfile
from typing import Any

import numpy as np

from envfreeze.compare._tfrecord import masked_crc


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | float | str | bytes) -> bytes:
    """A field of a protocol buffer; a float is written in 4 bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx(weights: dict[str, np.ndarray], labels: list[str], metric: float, order: int = 1) -> bytes:
    kinds = {"float32": 1, "float64": 11, "int64": 7}
    tensors = [
        b"".join(field(1, length) for length in array.shape)
        + field(2, kinds[str(array.dtype)])
        + field(8, name)
        + field(9, array.tobytes())
        for name, array in weights.items()
    ]
    nodes = [
        field(1, "x")
        + field(2, f"y{index}")
        + field(4, "Gemm")
        + field(5, field(1, "alpha") + field(2, metric))
        for index in range(2)
    ]
    graph = b"".join(field(1, node) for node in nodes) + field(2, "net")
    graph += b"".join(field(5, tensor) for tensor in tensors[::order])
    entries = [field(14, field(1, f"label {index}") + field(2, label)) for index, label in enumerate(labels)]
    return field(1, 8) + field(2, "pytorch") + field(7, graph) + b"".join(entries)


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def events(rows: list[tuple[int, float]], tag: str, start: float = 0.0) -> bytes:
    out = record(b"\x09" + struct.pack("<d", start) + field(3, "brain.Event:2"))
    for index, (step, loss) in enumerate(rows):
        summary = field(1, field(1, tag) + field(2, float(loss)))
        out += record(b"\x09" + struct.pack("<d", start + index) + field(2, step) + field(5, summary))
    return out


def ubjson(value: Any, *, sized: bool = False) -> bytes:
    def length(count: int) -> bytes:
        return b"L" + struct.pack(">q", count)

    if isinstance(value, dict):
        body = b"".join(
            length(len(key)) + key.encode() + ubjson(item, sized=sized) for key, item in value.items()
        )
        return b"{#" + length(len(value)) + body if sized and value else b"{" + body + b"}"
    if isinstance(value, list):
        body = b"".join(ubjson(item, sized=sized) for item in value)
        return b"[#" + length(len(value)) + body if sized else b"[" + body + b"]"
    if isinstance(value, np.ndarray):
        code = {"float32": b"d", "float64": b"D", "int64": b"L"}[str(value.dtype)]
        return (
            b"[$" + code + b"#" + length(value.size) + value.astype(value.dtype.newbyteorder(">")).tobytes()
        )
    if isinstance(value, str):
        return b"S" + length(len(value.encode())) + value.encode()
    if isinstance(value, int):
        return b"L" + struct.pack(">q", value)
    return b"D" + struct.pack(">d", value)


def safetensors(
    arrays: dict[str, np.ndarray], metadata: dict[str, str], *, order: int = 1, padding: int = 0
) -> bytes:
    kinds = {"float32": "F32", "float64": "F64", "int64": "I64"}
    header: dict[str, Any] = {"__metadata__": metadata}
    body = b""
    for name, array in list(arrays.items())[::order]:
        data = array.tobytes()
        header[name] = {
            "dtype": kinds[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode() + b" " * padding
    return struct.pack("<Q", len(text)) + text + body


class _Storage:
    def __init__(self, key: str, array: np.ndarray, device: str) -> None:
        self.key, self.array, self.device = key, array, device


class _Tensor:
    def __init__(self, storage: _Storage, shape: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.storage, self.shape, self.stride = storage, shape, stride


def torch(
    value: dict[str, Any], *, folder: str = "archive", device: str = "cpu", identifier: str = "1"
) -> bytes:
    """What ``torch.save`` writes; arrays of numpy stand for tensors."""
    pickled, storages = _with_storages(value, device)
    archive_stream = io.BytesIO()
    with zipfile.ZipFile(archive_stream, "w") as archive:
        archive.writestr(f"{folder}/data.pkl", pickled)
        archive.writestr(f"{folder}/byteorder", "little")
        for storage in storages:
            archive.writestr(f"{folder}/data/{storage.key}", storage.array.tobytes())
        archive.writestr(f"{folder}/version", "3\n")
        archive.writestr(f"{folder}/.data/serialization_id", identifier)
    return archive_stream.getvalue()


def legacy_torch(value: dict[str, Any], *, device: str = "cpu", order: int = 1) -> bytes:
    """What ``torch.save`` wrote before 1.6, and writes with ``_use_new_zipfile_serialization=False``."""
    pickled, storages = _with_storages(value, device, legacy=True)
    sizes = {"short": 2, "int": 4, "long": 4}
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}
    out = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, system)) + pickled
    out += pickle.dumps([storage.key for storage in storages[::order]], 2)
    for storage in storages[::order]:
        out += struct.pack("<q", storage.array.size) + storage.array.tobytes()
    return out


def _with_storages(
    value: dict[str, Any], device: str, *, legacy: bool = False
) -> tuple[bytes, list[_Storage]]:
    """A pickle that names the storages of its tensors, and these."""
    kinds = {"float32": "FloatStorage", "float64": "DoubleStorage", "int64": "LongStorage"}
    storages: list[_Storage] = []

    def with_tensors(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: with_tensors(part) for key, part in item.items()}
        if isinstance(item, np.ndarray):
            storage = _Storage(str(len(storages)), item, device)
            storages.append(storage)
            return _Tensor(storage, item.shape, tuple(step // item.itemsize for step in item.strides))
        return item

    module, utilities = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def rebuild(*_: Any) -> None: ...

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", *["_rebuild_tensor_v2"] * 2
    utilities._rebuild_tensor_v2 = rebuild
    for name in kinds.values():
        setattr(module, name, type(name, (), {"__module__": "torch", "__qualname__": name}))

    class Pickler(pickle.Pickler):
        dispatch_table = {
            **copyreg.dispatch_table,
            _Tensor: lambda found: (rebuild, (found.storage, 0, found.shape, found.stride, False, {})),
        }

        def persistent_id(self, item: Any) -> Any:
            if not isinstance(item, _Storage):
                return None
            kind = getattr(module, kinds[str(item.array.dtype)])
            return ("storage", kind, item.key, item.device, item.array.size, *[None] * legacy)

    stream = io.BytesIO()
    known = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": module, "torch._utils": utilities})
    try:
        Pickler(stream, 2).dump(with_tensors(value))
    finally:
        for name, old in known.items():
            sys.modules.pop(name)
            if old is not None:
                sys.modules[name] = old
    return stream.getvalue(), storages


def pdf(
    lines: list[str],
    *,
    date: str = "D:20240101000000Z",
    identifier: str = "00",
    packed: bool = False,
    order: int = 1,
    tag: str = "",
    box: str = "0 0 612 792",
    note: str = "",
) -> bytes:
    """One page of text; ``tag`` stands before the name of its font, ``note`` is in the catalogue only."""
    import zlib

    text = "BT /F1 12 Tf 14 TL 72 720 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
    content = zlib.compress(text.encode()) if packed else text.encode()
    filters = "/Filter /FlateDecode " if packed else ""
    numbers = {name: number for number, name in enumerate(["c", "p", "g", "t", "f", "i"][::order], 1)}

    def ref(name: str) -> str:
        return f"{numbers[name]} 0 R"

    resources = f"<< /Font << /F1 {ref('f')} >> >>"
    bodies = {
        "c": f"<< /Type /Catalog /Pages {ref('p')} /Lang ({note}) >>".encode(),
        "p": f"<< /Type /Pages /Kids [{ref('g')}] /Count 1 >>".encode(),
        "g": f"<< /Type /Page /Parent {ref('p')} /MediaBox [{box}] /Contents {ref('t')} "
        f"/Resources {resources} >>".encode(),
        "t": f"<< {filters}/Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream",
        "f": f"<< /Type /Font /Subtype /Type1 /BaseFont /{tag}Helvetica >>".encode(),
        "i": f"<< /Producer (writer) /CreationDate ({date}) >>".encode(),
    }
    out, offsets = b"%PDF-1.4\n", {}
    for name in sorted(bodies, key=lambda name: numbers[name]):
        offsets[numbers[name]] = len(out)
        out += f"{numbers[name]} 0 obj\n".encode() + bodies[name] + b"\nendobj\n"
    start = len(out)
    table = "".join(f"{offsets[number]:010d} 00000 n \n" for number in sorted(offsets))
    out += f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}".encode()
    trailer = (
        f"<< /Size {len(bodies) + 1} /Root {ref('c')} /Info {ref('i')} /ID [<{identifier}><{identifier}>] >>"
    )
    return out + f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n".encode()


def example(features: dict[str, Any], *, packed: bool = True, order: int = 1) -> bytes:
    """A ``tf.train.Example``: bytes, floats (of 4 bytes) and integers by name."""
    entries = b""
    for name, values in list(features.items())[::order]:
        if isinstance(values[0], bytes):
            held = field(1, b"".join(field(1, value) for value in values))
        elif isinstance(values[0], int):
            body = b"".join(map(varint, values))
            held = field(3, field(1, body) if packed else b"".join(field(1, value) for value in values))
        else:
            body = struct.pack(f"<{len(values)}f", *values)
            held = field(2, field(1, body) if packed else b"".join(field(1, float(v)) for v in values))
        entries += field(1, field(1, name) + field(2, held))
    return field(1, entries)


def sstable(values: dict[bytes, bytes], *, restart: int = 16, block: int = 1 << 20) -> bytes:
    """A sorted table, in blocks of about ``block`` bytes; a key is whole every ``restart`` entries."""

    def packed(pairs: list[tuple[bytes, bytes]]) -> bytes:
        out, last, restarts = b"", b"", []
        for place, (key, value) in enumerate(pairs):
            shared = 0
            if place % restart == 0:
                restarts.append(len(out))
            else:
                while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                    shared += 1
            out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
            last = key
        return (
            out
            + b"".join(struct.pack("<I", place) for place in restarts or [0])
            + struct.pack("<I", len(restarts or [0]))
        )

    out, index, pending = b"", [], []

    def put(pairs: list[tuple[bytes, bytes]]) -> bytes:
        nonlocal out
        body = packed(pairs)
        handle = varint(len(out)) + varint(len(body))
        out += body + b"\0" + struct.pack("<I", masked_crc(body + b"\0"))
        return handle

    for key, value in sorted(values.items()):
        pending.append((key, value))
        if sum(len(a) + len(b) for a, b in pending) > block:
            index.append((key, put(pending)))
            pending = []
    if pending:
        index.append((pending[-1][0], put(pending)))
    footer = put([]) + put(index)
    return out + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def checkpoint(
    variables: dict[str, Any], *, shards: int = 1, order: int = 1, name: str = "variables", **table: int
) -> dict[str, bytes]:
    """Index and shards of a checkpoint of TensorFlow; lists of bytes are variables of texts."""
    kinds = {"float32": 1, "float64": 2, "int64": 9}
    entries = {b"": field(1, shards) + field(3, field(1, 1))}
    data = [b""] * shards
    for place, (key, value) in enumerate(list(variables.items())[::order]):
        shard = place % shards
        if isinstance(value, np.ndarray):
            kind, shape, raw = kinds[str(value.dtype)], value.shape, value.tobytes()
        else:
            lengths = b"".join(varint(len(text)) for text in value)
            check = masked_crc(b"".join(struct.pack("<I", len(text)) for text in value))
            kind, shape, raw = 7, (len(value),), lengths + struct.pack("<I", check) + b"".join(value)
        dims = field(2, b"".join(field(2, field(1, length)) for length in shape))
        entries[key.encode()] = b"".join(
            [
                field(1, kind) + dims + field(3, shard) + field(4, len(data[shard])) + field(5, len(raw)),
                varint(6 << 3 | 5) + struct.pack("<I", masked_crc(raw)),
            ]
        )
        data[shard] += raw
    files = {f"{name}.data-{n:05d}-of-{shards:05d}": part for n, part in enumerate(data)}
    return {f"{name}.index": sstable(entries, **table), **files}


def saved_model(nodes: dict[str, bytes], *, first: int = 10, order: int = 1, objects: int = 1) -> bytes:
    """A SavedModel of constants (serialized ``TensorProto`` by name), two traced functions and three
    objects.

    Args:
        first: the number in the name of the first function.
        order: -1 to write maps and functions the other way round.
        objects: -1 to number the objects the other way round.
    """
    names = [f"__inference_call_{first}", f"__inference_call_{first + 7}"]
    graph = b""
    for name, tensor in nodes.items():
        attributes = [
            field(5, field(1, "value") + field(2, field(8, tensor))),
            field(5, field(1, "dtype") + field(2, field(6, 1))),
        ]
        graph += field(1, field(1, name) + field(2, "Const") + b"".join(attributes[::order]))
    call = field(5, field(1, "f") + field(2, field(10, field(1, names[1]))))
    graph += field(1, field(1, "call") + field(2, "PartitionedCall") + call)
    functions = [
        field(1, field(1, field(1, name)) + field(3, field(1, "n") + field(2, op)))
        for name, op in zip(names, ("Relu", "Tanh"), strict=True)
    ]
    graph += field(2, b"".join(functions[::order]))
    ids = {"root": 0, "w": 1, "f": 2} if objects == 1 else {"root": 0, "w": 2, "f": 1}
    held = {
        "root": b"".join(field(1, field(1, ids[name]) + field(2, name)) for name in ("w", "f")[::objects]),
        "w": field(7, field(1, 1) + field(6, "w")),
        "f": field(6, field(1, names[0])),
    }
    graph_of_objects = b"".join(field(1, held[name]) for name in sorted(ids, key=lambda name: ids[name]))
    concrete = field(2, field(1, names[0]) + field(2, field(2, varint(ids["w"]))))
    meta = field(1, field(4, "serve") + field(5, "2.21.0")) + field(2, graph)
    return field(1, 1) + field(2, meta + field(7, graph_of_objects + concrete))


def fingerprint(identifier: str, checksum: int = 1) -> bytes:
    numbers = b"".join(field(number, checksum * number + (1 << 60)) for number in (1, 2))
    return numbers + b"".join(field(number, 7) for number in (3, 4, 5)) + field(7, identifier)

"""Zip files, and what is made of them: npz, PyTorch's checkpoints, wheels, Office documents.

A wheel's RECORD (PEP 427) is brought up to date, so that it still installs.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator

from envfreeze.anonymous.formats import UNBOUNDED, Budget, CannotOpen, Change, Format, Part, collected, stream
from envfreeze.anonymous.names import Buffer, Names

_FAILURES = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error)
_LOCAL = 30
_RECORD = re.compile(r"[^/]+\.dist-info/RECORD")


def _opened(data: Buffer) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream(data))
    except _FAILURES as error:
        raise CannotOpen(f"no readable zip file: {error}") from None


def parts(data: Buffer, budget: Budget) -> Iterator[Part]:
    """The comments and extra fields, and every member."""
    with _opened(data) as archive:
        yield Part("its comments", archive.comment + b"\n".join(info.comment for info in archive.infolist()))
        yield Part("its extra fields", b"\n".join(info.extra for info in archive.infolist()))
        for info in archive.infolist():
            if not info.is_dir():
                yield Part(info.filename, _content(archive, info, budget))
            else:
                yield Part(info.filename, b"")


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Buffer:
    if info.flag_bits & 1:
        raise CannotOpen(f"{info.filename} in it is encrypted")
    try:
        with archive.open(info) as stream:
            return collected(iter(lambda: stream.read(1 << 20), b""), budget)
    except _FAILURES as error:
        raise CannotOpen(f"{info.filename} in it cannot be read: {error}") from None


def rewrite(data: Buffer, names: Names, change: Change) -> bytes | None:
    """With names, order, times, attributes, comments and alignment as they were."""
    with _opened(data) as archive:
        infos = archive.infolist()
        contents: list[Buffer] = []
        changed = False
        for info in infos:
            content = _content(archive, info, Budget(UNBOUNDED))
            new = change(info.filename, content)
            changed |= new is not None or names.text(info.filename) != info.filename
            contents.append(new if new is not None else content)
        comments = [names.replaced(text) for text in (archive.comment, *(info.comment for info in infos))]
        if not changed and not any(comments):
            return None
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as made:
            made.comment = comments[0] or archive.comment
            new_names = [names.text(info.filename) for info in infos]
            recorded = dict(zip(new_names, contents, strict=True))
            for info, name, comment in zip(infos, new_names, comments[1:], strict=True):
                content = recorded[name]
                if _RECORD.fullmatch(name):
                    content = _record(bytes(content), recorded)
                made.writestr(_info(info, name, comment, data), content, info.compress_type)
        return target.getvalue()


def _info(old: zipfile.ZipInfo, name: str, comment: bytes | None, data: Buffer) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, old.date_time)
    info.external_attr, info.create_system, info.internal_attr = (
        old.external_attr,
        old.create_system,
        old.internal_attr,
    )
    info.comment = comment or old.comment
    info.extra = _local_extra(old, data)
    return info


def _local_extra(info: zipfile.ZipInfo, data: Buffer) -> bytes:
    """The extra field before the content, which PyTorch aligns its tensors by; without sizes of zip64."""
    at = info.header_offset
    name, extra = struct.unpack("<HH", data[at + 26 : at + _LOCAL])
    field, kept = bytes(data[at + _LOCAL + name : at + _LOCAL + name + extra]), b""
    while len(field) >= 4:
        kind, size = struct.unpack("<HH", field[:4])
        if kind != 1:
            kept += field[: 4 + size]
        field = field[4 + size :]
    return kept


def _record(old: bytes, contents: dict[str, Buffer]) -> bytes:
    """The lines of RECORD with the digests of what is there now."""
    lines = []
    for line in old.decode("utf-8", "surrogateescape").splitlines(keepends=True):
        name, separator, _ = line.partition(",")
        content = contents.get(name)
        if separator and content is not None and ",sha256=" in line:
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            end = line[len(line.rstrip("\r\n")) :]
            line = f"{name},sha256={digest},{len(content)}{end}"
        lines.append(line)
    return "".join(lines).encode("utf-8", "surrogateescape")


FORMAT = Format(
    name="zip",
    recognises=lambda head, _: head[:4] in (b"PK\x03\x04", b"PK\x05\x06"),
    parts=parts,
    rewrite=rewrite,
)

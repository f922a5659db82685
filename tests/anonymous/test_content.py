"""Identities planted in contents of every kind: found wherever they are, gone after they were replaced."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.anonymous.content import Seen, find, rewritten
from envfreeze.anonymous.formats import formats
from envfreeze.anonymous.identities import Identity
from envfreeze.anonymous.names import Names

TEXTS = ("Jane Doe", "jane.doe@inf.ethz.ch", "jdoe77", "n17.cluster.ethz.ch", "/home/jdoe77")
NAMES = Names([Identity(text=text, what="x", anywhere=text != "jdoe77") for text in TEXTS])


def found(data: bytes) -> list[str]:
    seen = Seen(1 << 30)
    places = [place.where for place in find(NAMES, data, "file", seen)]
    assert not seen.closed
    return places


def zipped(data: bytes, *, stored: bool = False) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a/first.txt", (2024, 5, 6, 7, 8, 10)), b"nobody\n" * 9)
        archive.writestr(zipfile.ZipInfo("a/second"), data)
    return target.getvalue()


def unzipped(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.read("a/first.txt") == b"nobody\n" * 9
        assert archive.getinfo("a/first.txt").date_time == (2024, 5, 6, 7, 8, 10)
        return archive.read("a/second")


def tarred(data: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo("folder/data")
        member.size, member.mtime, member.uname = len(data), 1_700_000_000, "jdoe77"
        archive.addfile(member, io.BytesIO(data))
    return target.getvalue()


def untarred(data: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        (member,) = archive
        assert member.mtime == 1_700_000_000 and member.uname != "jdoe77"
        content = archive.extractfile(member)
        assert content is not None
        return content.read()


def png(text: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    parts = (
        chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(text)),
        chunk(b"IDAT", zlib.compress(b"\0\x7f")),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_text(data: bytes) -> bytes:
    from PIL import Image

    picture = Image.open(io.BytesIO(data))
    assert picture.getpixel((0, 0)) == 0x7F
    comment = picture.info["Comment"]
    return comment.encode("latin-1") if isinstance(comment, str) else bytes(comment)


def pdf(data: bytes) -> bytes:
    """One page, whose text is base64 of the data: a drawn text may be in any encoding of a font's own."""
    title = "\ufeffby JANE DOE".encode("utf-16-be").hex()
    text = zlib.compress(b"BT /F1 9 Tf (" + base64.b64encode(data) + b") Tj ET " + b"0 0 m " * 40, 1)
    objects = [
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources <<>> >>",
        b"<</Length %d /Filter /FlateDecode>>\nstream\n%s\nendstream" % (len(text), text),
        b"<</Author (\\112ane \\104oe) /Title <%s>>>" % title.encode(),
    ]
    made, places = bytearray(b"%PDF-1.4\n"), []
    for number, item in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj %s\nendobj\n" % (number, item)
    start = len(made)
    made += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(made) + b"trailer <</Size 6 /Root 1 0 R /Info 5 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start


def pdf_content(data: bytes) -> bytes:
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(data))
    assert reader.metadata is not None
    for said in (str(reader.metadata.author), str(reader.metadata.title)):
        assert "doe" not in said.lower() and len(said) in (8, 11)
    contents = reader.pages[0].get_contents()
    assert contents is not None
    text = contents.get_data()
    return base64.b64decode(text[text.index(b"(") + 1 : text.index(b")")])


Wrap = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]
WRAPPERS: dict[str, Wrap] = {
    "zip": (zipped, unzipped),
    "stored zip": (lambda data: zipped(data, stored=True), unzipped),
    "tar": (tarred, untarred),
    "gzip": (gzip.compress, gzip.decompress),
    "bzip2": (bz2.compress, bz2.decompress),
    "xz": (lzma.compress, lzma.decompress),
    "zlib": (zlib.compress, zlib.decompress),
    "base64": (
        lambda data: b'{"x": "' + base64.b64encode(data) + b'"}',
        lambda data: base64.b64decode(data[7:-2]),
    ),
    "base64 lines": (
        lambda data: b"x:\n" + base64.encodebytes(data),
        lambda data: base64.decodebytes(data[3:]),
    ),
    "url base64": (
        lambda data: b"?q=" + base64.urlsafe_b64encode(data) + b"&y",
        lambda data: base64.urlsafe_b64decode(data[3:-2]),
    ),
    "PDF": (pdf, pdf_content),
}  # fmt: skip
CASES = st.sampled_from([str, str.upper, str.lower, str.title, str.swapcase])


def plain_forms(text: str) -> list[bytes]:
    return [
        text.encode(),
        text.encode("utf-16"),
        text.encode("utf-32-be"),
        urllib.parse.quote(text, safe="").encode(),
        json.dumps(text).encode(),
        pickle.dumps({"who": text}),
        text.replace(" ", "_").encode(),
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    text=st.sampled_from(TEXTS),
    case=CASES,
    form=st.integers(0, 6),
    wrappers=st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=3),
    before=st.binary(max_size=30).map(lambda data: data.hex().encode() + b" "),
)
def test_what_was_planted_is_found_and_then_gone(
    text: str, case: Callable[[str], str], form: int, wrappers: list[str], before: bytes
) -> None:
    planted = before + plain_forms(case(text))[form] + b" end of it, with some more words\n"
    data = planted
    for name in wrappers:
        data = WRAPPERS[name][0](data)
    assert found(data), "it is found"
    made = rewritten(NAMES, data)
    assert made is not None
    assert not found(made), "it is gone"
    for name in reversed(wrappers):
        made = WRAPPERS[name][1](made)
    assert len(made) == len(planted), "nothing has moved"
    changed = [index for index, (old, new) in enumerate(zip(planted, made, strict=True)) if old != new]
    assert changed and changed[0] >= len(before)
    assert planted[-30:] == made[-30:]
    assert rewritten(NAMES, made) is None, "a second time changes nothing"


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=300).filter(lambda data: not list(NAMES.matches(data))),
    wrappers=st.lists(st.sampled_from(sorted(set(WRAPPERS) - {"tar", "PDF"})), max_size=3),
)
def test_what_names_nobody_keeps_every_bit(content: bytes, wrappers: list[str]) -> None:
    for name in wrappers:
        content = WRAPPERS[name][0](content)
    assert rewritten(NAMES, content) is None


def test_text_in_a_picture_is_replaced_and_its_pixels_stay() -> None:
    made = rewritten(NAMES, png(b"drawn by Jane Doe"))
    assert made is not None and not found(made)
    text = png_text(made)
    assert text.startswith(b"drawn by ") and b"Jane" not in text and len(text) == len(b"drawn by Jane Doe")


def test_a_picture_in_a_notebook() -> None:
    picture = base64.b64encode(png(b"drawn by Jane Doe")).decode()
    notebook = json.dumps({"cells": [{"outputs": [{"data": {"image/png": picture + "\n"}}]}]}).encode()
    assert found(notebook)
    made = rewritten(NAMES, notebook)
    assert made is not None and not found(made)
    new = json.loads(made)["cells"][0]["outputs"][0]["data"]["image/png"]
    assert b"Jane" not in png_text(base64.b64decode(new))


@pytest.mark.parametrize(
    "data",
    [
        b"Jane Doe at work".hex().encode(),
        b"".join(b"\\x%02x" % byte for byte in b"Jane Doe"),
        b"".join(b"%%%02x" % byte for byte in b"jane.doe@inf.ethz.ch"),
        b"Jane Do=\ne",
        base64.b64encode(b"Jane Doe at work".hex().encode()),
    ],
)
def test_what_cannot_be_replaced_is_found(data: bytes) -> None:
    """So that such a bundle is refused."""
    made = rewritten(NAMES, data)
    assert found(data) and (found(made) if made is not None else True)


def test_a_wheel_still_fits_its_record() -> None:
    import hashlib

    files = {"tool/__init__.py": b"author = 'Jane Doe'\n", "tool-1.dist-info/METADATA": b"Author: Jane Doe\n"}
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for name, data in files.items()
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in (
            *files.items(),
            ("tool-1.dist-info/RECORD", record.encode() + b"tool-1.dist-info/RECORD,,\n"),
        ):
            archive.writestr(zipfile.ZipInfo(name), data)
    made = rewritten(NAMES, target.getvalue())
    assert made is not None and not found(made)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        for line in archive.read("tool-1.dist-info/RECORD").decode().splitlines()[:2]:
            name, digest, size = line.split(",")
            data = archive.read(name)
            assert b"Jane" not in data and len(data) == int(size)
            expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert digest == f"sha256={expected}"


def test_numbers_in_an_npz_stay(tmp_path: object) -> None:
    import numpy

    target = io.BytesIO()
    values = numpy.linspace(0, 1, 1000)
    numpy.savez(target, values=values, who=numpy.array(["Jane Doe", "x"]))
    made = rewritten(NAMES, target.getvalue())
    assert made is not None and not found(made)
    with numpy.load(io.BytesIO(made)) as loaded:
        assert (loaded["values"] == values).all() and loaded["who"][1] == "x"
        assert loaded["who"][0] not in ("Jane Doe", "")


def test_tables_are_found_by_their_libraries() -> None:
    h5py, pyarrow = pytest.importorskip("h5py"), pytest.importorskip("pyarrow")
    from pyarrow import parquet

    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        file.create_dataset("x", data=[1.0, 2.0]).attrs["author"] = "Jane Doe"
    assert found(target.getvalue())
    target = io.BytesIO()
    table = pyarrow.table({"who": ["Jane Doe"] * 100, "n": list(range(100))})
    parquet.write_table(table, target, compression="zstd")
    assert found(target.getvalue())


def test_a_bomb_ends_the_search_and_is_named() -> None:
    data = gzip.compress(bytes(50 << 20))
    seen = Seen(1 << 20)
    assert list(find(NAMES, gzip.compress(data), "file", seen)) == []
    assert seen.closed == ["file (too large once it is unpacked)"]


def test_damaged_archives_are_named_and_searched_as_they_are() -> None:
    for data in (
        b"PK\x03\x04junk Jane Doe",
        b"\x1f\x8b\x08\0" + b"x" * 40,
        b"BZh91AY&SY" + b"x" * 40,
        b"%PDF-1.4 Jane Doe",
    ):
        seen = Seen(1 << 20)
        places = list(find(NAMES, data, "file", seen))
        assert places or seen.closed
        assert rewritten(NAMES, data) is None or b"Jane" not in (rewritten(NAMES, data) or b"")


def test_every_format_recognises_only_its_own() -> None:
    for data in (b"", b"text", b"x" * 600, b"\0" * 600, b"x^y", b"x\x9c"):
        assert not [format.name for format in formats() if format.recognises(data[:64], data)]


def test_text_that_a_pdf_draws_letter_by_letter_is_replaced() -> None:
    import pypdf

    letters = b" ".join(b"(%c) -0.65" % byte for byte in b"by Jane Doe, 2024")
    stream = zlib.compress(b"BT /F1 9 Tf [ " + letters + b" ] TJ ET " + b"0 0 m " * 40, 9)
    made = rewritten(NAMES, _with_stream(stream))
    assert made is not None and not found(made)
    contents = pypdf.PdfReader(io.BytesIO(made)).pages[0].get_contents()
    assert contents is not None
    drawn = contents.get_data()
    assert drawn.count(b"(") == len(b"by Jane Doe, 2024") and b"(J)" not in drawn and b"(2)" in drawn


def _with_stream(stream: bytes) -> bytes:
    text = pdf(b"nobody")
    start = text.index(b"4 0 obj")
    end = text.index(b"endobj", start)
    item = b"4 0 obj <</Length %d /Filter /FlateDecode>>\nstream\n%s\nendstream\n" % (len(stream), stream)
    return text[:start] + item + text[end:]


def test_a_network_address_is_found_fast() -> None:
    import time

    names = Names([Identity(text="02:42:ac:11:00:02", what="x")])
    data = b"02 42 ac 11 00 02 " * 100_000
    started = time.process_time()
    assert not list(names.matches(data))
    assert time.process_time() - started < 5
    assert names.text("ether 02:42:AC:11:00:02") != "ether 02:42:AC:11:00:02"

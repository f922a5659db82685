"""Bundles made to do harm: each is refused in one sentence, and nothing of it is unpacked."""

from __future__ import annotations

import hashlib
import io
import posixpath
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envfreeze.bundle.reading import Reader
from envfreeze.bundle.unpack import unpack
from envfreeze.errors import InputError
from envfreeze.progress import Silent

MANIFEST = b'{"envfreeze_bundle": 1}'
REGULAR, LINK = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777


def member(name: str, *, mode: int = REGULAR, system: int = 3) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder", (1980, 1, 1, 0, 0, 0))
    info.filename = name  # as it is: the constructor would clean it
    info.create_system, info.external_attr = system, mode << 16
    return info


def archive(*members: tuple[zipfile.ZipInfo, bytes], listed: bool = True, sums: str | None = None) -> bytes:
    """A bundle with these members beside bundle.json, and their digests as they should be."""
    everything = [(member("bundle.json"), MANIFEST), *members]
    contents = {info.filename: data for info, data in everything}
    lines = ""
    for info, data in everything:
        content = data
        if info.external_attr >> 16 == LINK:
            place = posixpath.join(posixpath.dirname(info.filename), data.decode("latin1"))
            content = contents.get(posixpath.normpath(place), b"")
        lines += f"{hashlib.sha256(content).hexdigest()}  {info.filename}\n"
    text = (lines if listed else lines.splitlines()[0] + "\n") if sums is None else sums
    return zipped(*everything, (member("SHA256SUMS"), text.encode("utf-8", "surrogateescape")))


def zipped(*members: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for info, data in members:
            made.writestr(info, data)
    return buffer.getvalue()


def with_manifest(data: bytes) -> bytes:
    sums = f"{hashlib.sha256(data).hexdigest()}  bundle.json\n".encode()
    return zipped((member("bundle.json"), data), (member("SHA256SUMS"), sums))


NAMES = [
    "../evil", "a/../../evil", "/etc/cron.d/evil", "//evil", "./evil", "a//b", "a/./b", "..", ".", "a/..",
    "C:/evil", "C:evil", "..\\evil", "a\\b", "\\\\host\\share\\evil", "evil\nname", "evil\tname",
    "evil\x1b[31m",
    "a\u202eb", "evil\x7f", "nul", "CON", "aux.txt", "com1", "LPT9.log", "trailing ", "trailing.", "a/dot./b",
    "question?", "star*", "pipe|", "less<", "greater>", 'quote"', "colon:stream", "x" * 256, "a/" * 600 + "b",
    "folder/", "\ufeff/../evil",
]  # fmt: skip
LINKS = [
    "/etc/passwd", "../../etc/passwd", "../../../../../../etc/shadow", "..", ".", "nothing-there", "a\\b",
    "/proc/self/environ", "../bundle.json/../x", "", "../SHA256SUMS/../..", "../bundle.json\0x",
]  # fmt: skip
KINDS = [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR, 0o170000]
PAIRS = [
    ("README", "readme"), ("a/B", "A/b"), ("ß", "SS"), ("e\u0301", "\u00e9"), ("data/x", "DATA/X"),
    ("same", "same"),
    ("folder", "folder/file"), ("Folder", "folder/file"), ("Bundle.json", "x"),
]  # fmt: skip


def packed_length(data: bytes) -> int:
    packer = zlib.compressobj(-1, zlib.DEFLATED, -15)
    return len(packer.compress(data) + packer.flush())


def claiming(size: int) -> bytes:
    """A compressed member of 5,000 bytes whose size is said to be another."""
    info = member("big")
    info.compress_type = zipfile.ZIP_DEFLATED
    data = archive((info, b"A" * 5000))
    length = packed_length(b"A" * 5000)
    true = struct.pack("<II", length, 5000)
    assert true in data
    return data.replace(true, struct.pack("<II", length, size))


def entries(data: bytes) -> Iterator[int]:
    """Places of the table of contents' entries."""
    place = data.find(b"PK\x01\x02")
    while place >= 0:
        yield place
        place = data.find(b"PK\x01\x02", place + 4)


def overlapping() -> bytes:
    """Two entries of the table of contents that share one member's bytes."""
    data = bytearray(archive((member("first"), b"x" * 1000), (member("other"), b"x" * 1000)))
    places = list(entries(bytes(data)))
    data[places[2] + 42 : places[2] + 46] = data[places[1] + 42 : places[1] + 46]
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(archive((member("locked"), b"data")))
    for place in entries(bytes(data)):
        data[place + 8] |= 1
    return bytes(data)


def compressed_otherwise() -> bytes:
    info = member("odd")
    info.compress_type = zipfile.ZIP_LZMA
    return archive((info, b"x" * 100))


GOOD = archive((member("file"), b"content"))
GOOD_LINE = f"{hashlib.sha256(MANIFEST).hexdigest()}  bundle.json\n"
CLIMBING = (
    b'{"envfreeze_bundle": 1, "experiments": [{"name": "../../etc", "folder": "x", "environment": "y",'
    b' "original_lock": "' + b"0" * 64 + b'"}]}'
)
MADE: dict[str, Callable[[], bytes]] = {
    "a size that is too small": lambda: claiming(10),
    "a size that is too large": lambda: claiming(6000),
    "a size of 4 GB": lambda: claiming(4_000_000_000),
    "overlapping members": overlapping,
    "encrypted": encrypted,
    "damaged content": lambda: GOOD.replace(b"content", b"c0ntent"),
    "another digest": lambda: archive((member("file"), b"x"), sums=f"{GOOD_LINE}{'0' * 64}  file\n"),
    "link to another content": lambda: archive(
        (member("link", mode=LINK), b"bundle.json"), sums=f"{GOOD_LINE}{'0' * 64}  link\n"
    ),
    "other compression": compressed_otherwise,
    "unlisted member": lambda: archive((member("file"), b"x"), listed=False),
    "listed and absent": lambda: archive(sums=f"{GOOD_LINE}{'1' * 64}  gone\n"),
    "no digests": lambda: zipped((member("bundle.json"), MANIFEST)),
    "no manifest": lambda: zipped((member("SHA256SUMS"), b"")),
    "digests that are none": lambda: archive(sums="hello\n"),
    "digests that escape": lambda: archive(sums=f"{GOOD_LINE}\\{'2' * 64}  x\n"),
    "digests that climb": lambda: archive(sums=f"{GOOD_LINE}{'1' * 64}  ../../x\n"),
    "digests of no text": lambda: archive(sums="\udcff\udcfe"),
    "a digest twice": lambda: archive(sums=GOOD_LINE * 2),
    "a newer version": lambda: with_manifest(b'{"envfreeze_bundle": 99}'),
    "manifest is a list": lambda: with_manifest(b"[]"),
    "manifest is no JSON": lambda: with_manifest(b"{"),
    "manifest is deep": lambda: with_manifest(b"[" * 100_000),
    "manifest with an unknown field": lambda: with_manifest(b'{"envfreeze_bundle": 1, "evil": 1}'),
    "manifest with a climbing name": lambda: with_manifest(CLIMBING),
    "empty": lambda: b"",
    "no archive": lambda: b"hello" * 100,
    "truncated": lambda: GOOD[: len(GOOD) // 2],
    "end cut off": lambda: GOOD[:-5],
    "from a system without modes": lambda: archive((member("file", system=0), b"x")),
}
FLIPS = range(0, len(GOOD), 17)


def refused(data: bytes, tmp_path: Path) -> str:
    """The sentence; the folder above holds nothing new afterwards."""
    path = tmp_path / "paper.envfreeze.zip"
    path.write_bytes(data)
    target = tmp_path / "in" / "here"
    target.parent.mkdir()
    with pytest.raises(InputError) as raised:
        unpack(path, target, progress=Silent())
    assert list(target.parent.iterdir()) == []
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in", path.name]
    sentence = str(raised.value)
    assert sentence.isprintable() and len(sentence) < 600 and sentence.endswith(".")
    return sentence


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    refused(archive((member(name), b"evil")), tmp_path)


@pytest.mark.parametrize("target", LINKS, ids=ascii)
def test_links_that_lead_elsewhere(target: str, tmp_path: Path) -> None:
    refused(archive((member("folder/link", mode=LINK), target.encode())), tmp_path)


@pytest.mark.parametrize("kind", KINDS, ids=oct)
def test_members_that_are_neither_files_nor_links(kind: int, tmp_path: Path) -> None:
    sentence = refused(archive((member("odd", mode=kind | 0o666), b"x")), tmp_path)
    assert "neither a file nor a symbolic link" in sentence


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", PAIRS, ids=ascii)
def test_names_that_are_one_file_somewhere(names: tuple[str, str], tmp_path: Path) -> None:
    refused(archive(*[(member(name), b"x") for name in names]), tmp_path)


@pytest.mark.parametrize("name", MADE)
def test_archives_that_lie(name: str, tmp_path: Path) -> None:
    refused(MADE[name](), tmp_path)


@pytest.mark.parametrize("place", FLIPS)
def test_a_flipped_byte_never_changes_what_is_read(place: int, tmp_path: Path) -> None:
    """It is refused, or it lay where it means nothing (a time stamp) and the content is the same."""
    data = bytearray(GOOD)
    data[place] ^= 0xFF
    path = tmp_path / "paper.zip"
    path.write_bytes(data)
    try:
        with Reader(path) as reader:
            reader.manifest()
            contents = {name: b"".join(reader.chunks(name)) for name in reader.files}
    except InputError as error:
        assert str(error).isprintable()
    else:
        assert contents["file"] == b"content" and contents["bundle.json"] == MANIFEST


def test_a_link_through_a_link_is_refused(tmp_path: Path) -> None:
    refused(archive((member("one", mode=LINK), b"two"), (member("two", mode=LINK), b"bundle.json")), tmp_path)


def test_a_sound_bundle_passes(tmp_path: Path) -> None:
    """What the others are made from, or else they would be refused for another reason."""
    path = tmp_path / "paper.zip"
    path.write_bytes(archive((member("folder/file"), b"x"), (member("folder/link", mode=LINK), b"file")))
    unpack(path, tmp_path / "out", progress=Silent())
    assert (tmp_path / "out" / "folder" / "link").read_bytes() == b"x"
    assert (tmp_path / "out" / "folder" / "link").is_symlink()

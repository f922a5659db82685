"""Reading a bundle that a stranger made.

Everything is checked before anything is written: names (path traversal, absolute paths, names that collide on
some file systems), kinds (files and links that stay inside), sizes and ratios (bombs), and then every content
against ``SHA256SUMS``. Sources: CWE-22, CWE-59, CWE-409; David Fifield, "A better zip bomb", WOOT 2019, on
members that overlap.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from envfreeze.bundle.layout import MANIFEST, SIGNATURES, SUMS, is_plain, key
from envfreeze.errors import InputError
from envfreeze.files import CHUNK
from envfreeze.records.artifact import BUNDLE_VERSION, Bundle

MAX_MEMBERS = 2_000_000
MAX_RATIO = 1100
"""DEFLATE cannot do better than 1032:1 (RFC 1951)."""
MAX_INDEX = 256 << 20
"""Bytes of SHA256SUMS and of bundle.json."""
_SUM = re.compile(r"([0-9a-f]{64})  (.+)")
_ASK = "Ask the author for a new copy."


class Link(NamedTuple):
    """A symbolic link in a bundle, and the member that it leads to."""

    name: str
    target: str
    """As it stands in the archive."""
    leads_to: str
    """Name of a member."""


class Reader:
    """An opened bundle whose table of contents was checked.

    Raises:
        InputError: it is no bundle, damaged, or built to do harm; one sentence says where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {(error.strerror or 'error').lower()}.") from None
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError) as error:
            raise InputError(f"{path} is no bundle: {_words(error)}.", hint=_ASK) from None
        try:
            self.files: dict[str, zipfile.ZipInfo] = {}
            self.links: dict[str, Link] = {}
            self._take_contents()
            self.sums: dict[str, str] = {}
            self.sums = self._read_sums()
            self._check_against_sums()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    @property
    def size(self) -> int:
        """Bytes of all files once unpacked."""
        return sum(info.file_size for info in self.files.values())

    def manifest(self) -> Bundle:
        """What the bundle says of itself.

        Raises:
            InputError: bundle.json is missing, damaged, or of a newer envfreeze.
        """
        return parse_manifest(self.read(MANIFEST), f"{self.path}: {MANIFEST}")

    def read(self, name: str) -> bytes:
        """A short file's content, checked against its digest.

        Raises:
            InputError: it is not there, too long, or damaged.
        """
        info = self._info(name)
        if info.file_size > MAX_INDEX:
            raise self._refuse(f"{name} says that it has {info.file_size} bytes")
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file's content in pieces; after the last one it was checked against its digest.

        Raises:
            InputError: the content is damaged, or longer or shorter than the archive says.
        """
        info = self._info(name)
        digest, count = hashlib.sha256(), 0
        try:
            with self._archive.open(info) as stream:
                for chunk in _read(stream):
                    count += len(chunk)
                    if count > info.file_size:
                        raise self._refuse(f"{name} is longer than the archive says")
                    digest.update(chunk)
                    yield chunk
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise self._refuse(f"{name} is damaged ({_words(error)})") from None
        except Exception as error:
            if type(error).__module__ in ("zlib", "lzma", "_lzma", "bz2"):
                raise self._refuse(f"{name} is damaged ({_words(error)})") from None
            raise
        expected = self.sums.get(name) if name != SUMS else None
        if count != info.file_size or (expected is not None and digest.hexdigest() != expected):
            raise self._refuse(f"{name} does not have the content that {SUMS} records")

    def _info(self, name: str) -> zipfile.ZipInfo:
        try:
            return self.files[name]
        except KeyError:
            raise self._refuse(f"it has no {name}") from None

    def _refuse(self, why: str) -> InputError:
        return InputError(f"{self.path} is not a sound bundle: {why}.", hint=_ASK)

    def _take_contents(self) -> None:
        infos = self._archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise self._refuse(f"it has {len(infos)} members")
        seen: dict[str, str] = {}
        folders: set[str] = set()
        for info in infos:
            name = info.filename
            self._check_name(info)
            other = seen.setdefault(key(name), name)
            if other != name or name in self.files or name in self.links:
                raise self._refuse(f"{shown(name)} and {shown(other)} are one file on some systems")
            self._take(info)
            parts = name.split("/")
            folders.update(key("/".join(parts[:depth])) for depth in range(1, len(parts)))
        for name in (*self.files, *self.links):
            if key(name) in folders:
                raise self._refuse(f"{shown(name)} is both a file and a folder")
        self._check_overlap(infos)
        for link in self.links.values():
            if link.leads_to not in self.files:
                raise self._refuse(
                    f"the link {shown(link.name)} leads to {shown(link.target)}, which is no file in it"
                )

    def _check_name(self, info: zipfile.ZipInfo) -> None:
        name = info.filename
        if getattr(info, "orig_filename", name) != name or not is_plain(name):
            raise self._refuse(f"the name {shown(info.orig_filename)} is not a plain relative path")
        if info.flag_bits & 0x1:
            raise self._refuse(f"{shown(name)} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._refuse(f"{shown(name)} is compressed in a way that no bundle is")
        if info.file_size > max(info.compress_size, 64) * MAX_RATIO:
            raise self._refuse(
                f"{shown(name)} would grow {info.file_size // max(1, info.compress_size)} times"
            )

    def _take(self, info: zipfile.ZipInfo) -> None:
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        if kind in (0, stat.S_IFREG) and info.create_system == 3:
            self.files[info.filename] = info
        elif kind == stat.S_IFLNK and info.create_system == 3:
            self.links[info.filename] = self._link(info)
        else:
            raise self._refuse(f"{shown(info.filename)} is neither a file nor a symbolic link")

    def _link(self, info: zipfile.ZipInfo) -> Link:
        if info.file_size > 4096:
            raise self._refuse(f"the target of the link {shown(info.filename)} is too long")
        try:
            target = self._archive.read(info).decode()
        except (zipfile.BadZipFile, UnicodeDecodeError, EOFError, RuntimeError) as error:
            raise self._refuse(f"the link {shown(info.filename)} is damaged ({_words(error)})") from None
        leads_to = posixpath.normpath(posixpath.join(posixpath.dirname(info.filename), target))
        if target.startswith("/") or "\\" in target or "\0" in target or leads_to.startswith("../"):
            raise self._refuse(f"the link {shown(info.filename)} leads out of it")
        return Link(info.filename, target, leads_to)

    def _check_overlap(self, infos: list[zipfile.ZipInfo]) -> None:
        """Members that share bytes of the archive are how small files become huge ones."""
        end = 0
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise self._refuse(f"{shown(info.filename)} overlaps another member")
            end = info.header_offset + info.compress_size + 30

    def _read_sums(self) -> dict[str, str]:
        text = self.read_unchecked(SUMS)
        return parse_sums(text, f"{self.path}: {SUMS}")

    def read_unchecked(self, name: str) -> bytes:
        """The digests' own file, which no digest is for."""
        info = self._info(name)
        if info.file_size > MAX_INDEX:
            raise self._refuse(f"{name} says that it has {info.file_size} bytes")
        return b"".join(self.chunks(name))

    def _check_against_sums(self) -> None:
        present = {*self.files, *self.links} - {SUMS, *(self.files.keys() & SIGNATURES)}
        for name in sorted(present - self.sums.keys()):
            raise self._refuse(f"{shown(name)} is not listed in {SUMS}")
        for name in sorted(self.sums.keys() - present):
            raise self._refuse(f"{shown(name)} is listed in {SUMS} and is not there")
        for link in self.links.values():
            if self.sums[link.name] != self.sums.get(link.leads_to):
                raise self._refuse(
                    f"the link {shown(link.name)} leads to another content than {SUMS} records"
                )


def _read(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def parse_sums(text: bytes, name: str) -> dict[str, str]:
    """Digest by name, from the text that ``sha256sum`` writes.

    Raises:
        InputError: a line is not of that form, or a name is not plain or stands there twice.
    """
    sums: dict[str, str] = {}
    try:
        lines = text.decode().splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{name} is not text.", hint=_ASK) from None
    for number, line in enumerate(lines, 1):
        found = _SUM.fullmatch(line)
        if found is None or not is_plain(found[2]) or found[2] in sums:
            raise InputError(
                f"{name} line {number} is no line of sha256sum, or names a file twice.", hint=_ASK
            )
        sums[found[2]] = found[1]
    return sums


def parse_manifest(data: bytes, name: str) -> Bundle:
    """The content of bundle.json.

    Raises:
        InputError: it is damaged, or of a newer envfreeze.
    """
    try:
        content = json.loads(data)
        version = content.get("envfreeze_bundle") if isinstance(content, dict) else None
        if isinstance(version, int) and version > BUNDLE_VERSION:
            raise InputError(
                f"{name} was written by a newer envfreeze (version {version}; this one reads 1).",
                hint="Upgrade with: pip install --upgrade envfreeze",
            )
        return msgspec.convert(content, Bundle)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise InputError(f"{name} is not readable: {_words(error)}.", hint=_ASK) from None


def shown(name: str) -> str:
    """A name from outside, short and harmless."""
    text = ascii(name)
    return text if len(text) <= 120 else text[:117] + "..."


def _words(error: BaseException) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words[:1].lower() + words[1:200].rstrip(".")

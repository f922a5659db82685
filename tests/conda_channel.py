"""A small conda channel in a folder, made for the tests: an interpreter, pip, and two tiny packages.

The interpreter is the one that runs the tests, so that nothing has to be downloaded. How packages are laid
out is said in conda-build's documentation ("package specification") and in conda's CEPs 20 and 34.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import platform
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

VERSION = platform.python_version()
SERIES = f"python{sys.version_info.major}.{sys.version_info.minor}"
SUBDIR = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}[platform.machine()]
PLACEHOLDER = "/opt/placehold" + "_placehold" * 20
"""What packages have in place of the prefix; as in real ones longer than any prefix will be."""

_NOT_NEEDED = {
    "__pycache__", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "test",
    "tests", "tkinter", "turtledemo",
}  # fmt: skip


class Entry(NamedTuple):
    """A file of a package: its content, or what it links to."""

    content: bytes = b""
    executable: bool = False
    link: str = ""


Files = Mapping[str, Entry]


def make_channel(folder: Path) -> Path:
    """All packages, indexed."""
    build = f"h0_{sys.version_info.minor}"
    _package(folder / SUBDIR, "python", VERSION, build, _python(), depends=[])
    pip = _pip()
    version = next(name for name in pip if name.endswith(".dist-info/METADATA")).split("-")[-2]
    _package(folder / "noarch", "pip", version.removesuffix(".dist"), "py_0", pip, depends=["python"])
    _package(folder / "noarch", "tinyconda", "1.0", "py_0", _module("tinyconda", "1.0"), depends=["python"])
    _package(folder / SUBDIR, "tinydata", "2.0", "h1_0", _data(), depends=[], suffix=".tar.bz2")
    asyncio.run(_index(folder))
    return folder


async def _index(folder: Path) -> None:
    from rattler.index import index_fs

    await index_fs(folder, write_zst=False, write_shards=False)


def make_environment(channel: Path | str, prefix: Path, *names: str) -> Path:
    """An environment with these packages of a channel in a folder or at an address; its ``bin`` folder."""
    asyncio.run(_create(channel, prefix, names))
    return prefix / "bin"


async def _create(channel: Path | str, prefix: Path, names: tuple[str, ...]) -> None:
    from rattler import Channel, install, solve

    source = Channel(channel if isinstance(channel, str) else channel.as_uri())
    records = await solve(sources=[source], specs=list(names), platforms=[SUBDIR, "noarch"])
    cache = prefix.with_name(f"{prefix.name}-cache")
    await install(records, target_prefix=prefix, cache_dir=cache, show_progress=False)
    shutil.rmtree(cache)


def _python() -> Files:
    """The interpreter of the tests, made independent of where it lies."""
    base = Path(sys.base_prefix)
    found: dict[str, Entry] = {}
    for name in (f"bin/{SERIES}", *_names(base, "lib", "libpython*.so*")):
        path = base / name
        found[name] = (
            Entry(link=os.readlink(path)) if path.is_symlink() else Entry(_relocatable(path, base), True)
        )
    found["bin/python3"] = found["bin/python"] = Entry(link=SERIES)
    for path in _walk(base / "lib" / SERIES):
        found[str(path.relative_to(base))] = Entry(path.read_bytes())
    return found


def _names(base: Path, folder: str, pattern: str) -> list[str]:
    return [str(path.relative_to(base)) for path in sorted((base / folder).glob(pattern))]


_OF_OTHER_LIBRARIES = (
    "_crypt", "_ctypes", "_curses", "_dbm", "_gdbm", "_hashlib", "_sqlite3", "_ssl", "_tkinter", "_uuid",
    "_test", "nis", "readline",
)  # fmt: skip
"""Modules that need a library which an image without Python does not have; conda brings those as packages."""


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_NEEDED or path.name.startswith("config-"):
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file() and not (path.suffix == ".so" and path.name.startswith(_OF_OTHER_LIBRARIES)):
            yield path


def _relocatable(path: Path, base: Path) -> bytes:
    """A program that looks for its library beside itself: the path in it is replaced, at the same length."""
    old = f"{base}/lib\0".encode()
    return path.read_bytes().replace(old, b"$ORIGIN/../lib".ljust(len(old), b"\0"))


def _pip() -> Files:
    import ensurepip

    debian = Path("/usr/share/python-wheels")  # whose ensurepip has none of its own
    bundled = [*Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"), *debian.glob("pip-*.whl")]
    wheel = bundled[0]
    with zipfile.ZipFile(wheel) as archive:
        found = {f"site-packages/{name}": Entry(archive.read(name)) for name in archive.namelist()}
    info = next(name.split("/")[1] for name in found if name.endswith("/METADATA"))
    return found | {f"site-packages/{info}/INSTALLER": Entry(b"conda")}


def _module(name: str, version: str) -> Files:
    info = f"site-packages/{name}-{version}.dist-info"
    return {
        f"site-packages/{name}/__init__.py": Entry(b"VALUE = 42\n"),
        f"{info}/METADATA": Entry(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()),
        f"{info}/INSTALLER": Entry(b"conda"),
        f"{info}/RECORD": Entry(f"{name}/__init__.py,,\n".encode()),
    }


def _data() -> Files:
    return {
        "share/tinydata/table.csv": Entry(b"a,b\n1,2\n"),
        "etc/tinydata/where.txt": Entry(f"{PLACEHOLDER}/share/tinydata/table.csv".encode()),
        "lib/libtiny.bin": Entry(b"\x7fTINY\0" + f"{PLACEHOLDER}/lib\0".encode() + b"end\0"),
        "bin/tiny-greet": Entry(f"#!{PLACEHOLDER}/bin/python\nprint('hello')\n".encode(), executable=True),
    }


def _package(
    folder: Path,
    name: str,
    version: str,
    build: str,
    files: Files,
    *,
    depends: list[str],
    suffix: str = ".conda",
) -> Path:
    """Write a package; one of the folder ``noarch`` is a Python package for any platform."""
    folder.mkdir(parents=True, exist_ok=True)
    is_noarch = folder.name == "noarch"
    index: dict[str, Any] = {
        "name": name, "version": version, "build": build, "build_number": 0, "depends": depends,
        "subdir": folder.name, "timestamp": 1700000000000,
    }  # fmt: skip
    index |= {"noarch": "python"} if is_noarch else {}
    info = {
        "info/index.json": Entry(json.dumps(index).encode()),
        "info/paths.json": Entry(json.dumps({"paths_version": 1, "paths": _paths(files)}).encode()),
        "info/files": Entry("".join(f"{path}\n" for path in files).encode()),
        "info/about.json": Entry(b"{}"),
    }
    if is_noarch:
        link = {"noarch": {"type": "python"}, "package_metadata_version": 1}
        info["info/link.json"] = Entry(json.dumps(link).encode())
    path = folder / f"{name}-{version}-{build}{suffix}"
    if suffix == ".tar.bz2":
        path.write_bytes(_tar({**files, **info}, "w:bz2"))
        return path
    stem = path.name.removesuffix(suffix)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", '{"conda_pkg_format_version": 2}')
        archive.writestr(f"pkg-{stem}.tar.zst", _zstd(_tar(files, "w")))
        archive.writestr(f"info-{stem}.tar.zst", _zstd(_tar(info, "w")))
    return path


def _paths(files: Files) -> list[dict[str, Any]]:
    paths = []
    for path, entry in files.items():
        said: dict[str, Any] = {"_path": path, "path_type": "softlink" if entry.link else "hardlink"}
        if not entry.link:
            said |= {"sha256": hashlib.sha256(entry.content).hexdigest(), "size_in_bytes": len(entry.content)}
        if PLACEHOLDER.encode() in entry.content:
            mode = "binary" if b"\0" in entry.content else "text"
            said |= {"prefix_placeholder": PLACEHOLDER, "file_mode": mode}
        paths.append(said)
    return paths


def _tar(files: Files, mode: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for path, entry in files.items():
            member = tarfile.TarInfo(path)
            member.mtime = 1700000000
            if entry.link:
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.link, 0o777
            else:
                member.size, member.mode = len(entry.content), 0o755 if entry.executable else 0o644
            archive.addfile(member, io.BytesIO(entry.content))
    return packed.getvalue()


def _zstd(data: bytes) -> bytes:
    """A frame of stored blocks, for which no compressor is needed (RFC 8878, 3.1.1)."""
    size = 128 << 10
    starts = range(0, len(data), size) if data else (0,)
    frame = [b"\x28\xb5\x2f\xfd", b"\x00", bytes([10 << 3])]
    for start in starts:
        block = data[start : start + size]
        is_last = start + size >= len(data)
        frame += [(len(block) << 3 | is_last).to_bytes(3, "little"), block]
    return b"".join(frame)

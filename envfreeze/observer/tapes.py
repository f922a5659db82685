"""The tapes of a run: prepared before it, sealed after it, found again for a replay.

The shim writes one file a process (format: ``shim/tape.h``) while the run goes on, with room to spare; the
agent, where the shim is not, appends to a log (``agent/envfreeze_tape_format.py``). Sealed tapes are in the
shim's format without the room, in ``.envfreeze/tapes/<digest of the manifest>/``. They hold every key that
the run made, so a ``.gitignore`` in that folder keeps them out of commits.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from envfreeze.files import sha256, write
from envfreeze.observer._tape_logs import written_out
from envfreeze.observer.outputs import printable
from envfreeze.records.files import Gap
from envfreeze.records.tapes import LeftTape, TapeEntry, TapeLayer, Tapes, TapeSource
from envfreeze.store import Store

FOLDER = "tapes"
DEFAULT_LIMIT = 1 << 30
"""Bytes of all tapes of a run together."""

_PAGE = 4096
_MOST_NOTES = 1 << 20
_CHUNK = struct.Struct("=IIII")
_MAGIC = 0x45504154
_LABEL = struct.Struct("=QQQBB")
_MANIFEST = "manifest.json"
NUMBERS = "pids"
"""The file with the numbers of all processes and threads (``shim/pids.c``)."""

_GITIGNORE = """\
# What the recorded runs got from sources of randomness, keys that they made included, and their clock reads.
# Private by default: a replay without them runs all the same, and draws its own random numbers.
*
"""
_CLOCK = 16
"""Sources from here on are clocks (``enum source``)."""


_KINDS: dict[int, TapeSource] = {
    1: "randomness",
    2: "host name",
    4: "user",
    5: "temporary names",
    6: "order of folders",
    7: "file times",
    8: "system files",
    9: "addresses",
}


class Stream(NamedTuple):
    """What is said at the start of a stream."""

    source: TapeSource
    thread: str
    site: str


UNTAPED = "randomness and times of "
"""How the gap begins that names programs in which the shim was not loaded."""

AGENT_ONLY = (
    "without the shim, which was not compiled or cannot be loaded here, only what Python code asks for is "
    "recorded; in a replay they get others"
)
"""Why, when the agent alone taped the run."""


def prepare(folder: Path, *, limit: int = DEFAULT_LIMIT) -> dict[str, str]:
    """Make the folder for the tapes; return the variables that make the shim record into it.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir()
    (folder / "budget").write_bytes(struct.pack("=q", limit))
    return {"ENVFREEZE_TAPE": "record", "ENVFREEZE_TAPES": str(folder), **first_process()}


def first_process() -> dict[str, str]:
    """The command's own name on the tapes; those of other processes follow from it."""
    return {"ENVFREEZE_TAPE_SELF": "0" * 16 + "."}


def seal(folder: Path, store: Store, *, layer: TapeLayer = "shim") -> tuple[Tapes | None, list[Gap]]:
    """Move what was recorded into the store; None when the run asked for nothing that is taped.

    Args:
        layer: what taped it, when nothing but numbers of processes was asked for.

    Raises:
        OSError: the store cannot be written.
    """
    entries: list[TapeEntry] = []
    streams: list[Stream] = []
    sealed = folder / "sealed"
    sealed.mkdir()
    for path in sorted(folder.glob("*.tape")):
        found, size = _compact(path, sealed / path.name)
        if found:
            entry = TapeEntry(
                file=path.name, sha256=sha256(sealed / path.name), size=size, streams=len(found)
            )
            entries.append(entry)
            streams += found
    for path in sorted(folder.glob("*.agent.log")):
        target = sealed / f"{path.name.removesuffix('.log')}.tape"
        labels, size = written_out(path, target)
        if labels:
            entries.append(
                TapeEntry(
                    file=target.name, sha256=sha256(target), size=size, streams=len(labels), layer="agent"
                )
            )
            streams += map(_stream, labels)
    layers = tuple(sorted({entry.layer for entry in entries}, reverse=True))
    numbers = _adopt_numbers(folder / NUMBERS, sealed)
    entries += numbers
    full = (folder / "full").exists()
    failed = _failed(folder / "failed")
    if not entries:
        return None, failed
    manifest = json.dumps(msgspec.to_builtins(entries), indent=0).encode()
    digest = hashlib.sha256(manifest).hexdigest()
    write(sealed / _MANIFEST, manifest, mode=0o600)
    _adopt(sealed, store, digest)
    tapes = Tapes(
        manifest=digest,
        size=sum(entry.size for entry in entries),
        processes=len(entries) - len(numbers),
        streams=len(streams),
        sources=tuple(sorted({stream.source for stream in streams} | _kinds(numbers))),
        layers=layers or (layer,),
        complete=not full,
    )
    return tapes, _gaps(streams, full) + failed


def _kinds(numbers: list[TapeEntry]) -> set[TapeSource]:
    return {"process numbers"} if numbers else set()


def _adopt_numbers(path: Path, sealed: Path) -> list[TapeEntry]:
    """Take over the numbers of processes and threads, if any were asked for."""
    if not path.exists():
        return []
    target = sealed / path.name
    target.write_bytes(path.read_bytes())
    target.chmod(0o600)
    return [TapeEntry(file=path.name, sha256=sha256(target), size=target.stat().st_size, streams=0)]


def _adopt(sealed: Path, store: Store, digest: str) -> None:
    root = store.root / FOLDER
    root.mkdir(mode=0o700, exist_ok=True)
    if not (root / ".gitignore").exists():
        write(root / ".gitignore", _GITIGNORE.encode())
    if not (root / digest).exists():
        sealed.chmod(0o700)
        shutil.move(sealed, root / digest)


def _gaps(streams: list[Stream], full: bool) -> list[Gap]:
    gaps = []
    keys = sorted({_module(stream.site) for stream in streams if _makes_keys(stream)})
    if keys:
        why = (
            f"{', '.join(keys)} drew randomness, so keys that this run made can be made again from "
            f".envfreeze/{FOLDER}: keep that folder private"
        )
        gaps.append(Gap(what="keys are on the tapes", why=why))
    if full:
        why = "--tape-limit or the disk was reached; a replay draws its own values from there on"
        gaps.append(Gap(what="some of the randomness and times", why=why))
    return gaps


def _failed(note: Path) -> list[Gap]:
    """What the agents said of a failure of their own; the run's processes could write there too."""
    if not note.exists():
        return []
    with note.open("rb") as stream:
        said = stream.read(300).decode(errors="replace")
    why = f"the agent could not go on taping in one of the processes ({printable(said)})"
    return [Gap(what="some of the randomness and times", why=why)]


def _module(site: str) -> str:
    return site.partition(":")[0].partition("+")[0]


def _makes_keys(stream: Stream) -> bool:
    names = (  # the same as in shim/sites.c
        "libcrypto", "libssl", "libgnutls", "libgcrypt", "libsodium", "_sodium", "libnss3", "libfreebl",
        "libsoftokn", "libmbed", "libwolfssl", "libssh", "_rust.abi3", "bcrypt",
    )  # fmt: skip
    return stream.source == "randomness" and stream.site.startswith(names)


def find(store: Store, tapes: Tapes) -> tuple[Path | None, str]:
    """The folder with the tapes, or None and why they cannot be played, in words."""
    folder = store.root / FOLDER / tapes.manifest
    try:
        data = (folder / _MANIFEST).read_bytes()
    except OSError:
        return None, "the tapes of the recorded run are not here (.envfreeze/tapes is private)"
    damaged = f"the tapes in {folder} are damaged"
    if hashlib.sha256(data).hexdigest() != tapes.manifest:
        return None, damaged
    try:
        entries = msgspec.json.decode(data, type=list[TapeEntry])
        whole = all(
            "/" not in entry.file and sha256(folder / entry.file) == entry.sha256 for entry in entries
        )
    except (msgspec.ValidationError, msgspec.DecodeError, OSError):
        return None, damaged
    return (folder, "") if whole else (None, damaged)


PLAYED = "played"
"""The file in the folder for notes that names the processes whose tapes were found."""
_MOST_UNPLAYED = 20


def not_played(sealed: Path, notes: Path) -> tuple[LeftTape, ...]:
    """Processes of the recorded run that drew randomness and that the replay did not start, some of them.

    Args:
        sealed: the folder of the tapes.
        notes: where the processes of the replay wrote; without a word of any of them nothing is said.
    """
    try:
        with (notes / PLAYED).open("rb") as stream:
            played = set(stream.read(_MOST_NOTES).decode(errors="replace").split())
        tapes = sorted(path for path in sealed.glob("*.tape") if path.name.partition(".")[0] not in played)
    except OSError:
        return ()
    found = (_first_draw(path) for path in tapes)
    return tuple(left for left in found if left is not None)[:_MOST_UNPLAYED]


def _first_draw(path: Path) -> LeftTape | None:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as tape:
        seen = 0
        for number, data in _chunks(tape):
            if number > seen:
                seen = number
                if (first := _stream(data)).source == "randomness":
                    why = "the recorded run started a program or a worker that this one did not"
                    return LeftTape(
                        process="", source="randomness", site=first.site, thread=first.thread, taken=0,
                        why=why, more=1,
                    )  # fmt: skip
    return None


def source_name(number: int) -> TapeSource:
    """The kind of a source as the shim numbers it."""
    if number == 3 or number >= _CLOCK:
        return "clock"
    return _KINDS.get(number, "unknown")


def _compact(path: Path, target: Path) -> tuple[list[Stream], int]:
    """Copy a tape without its unused room; its streams, and the size of the copy in bytes."""
    streams: list[Stream] = []
    seen = 0
    with path.open("rb") as stream, target.open("wb") as copy:
        os.fchmod(copy.fileno(), 0o600)
        if path.stat().st_size == 0:
            return [], 0
        tape = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        for number, data in _chunks(tape):
            if number > seen:
                seen = number
                streams.append(_stream(data))
            room = -len(data) % 16
            copy.write(_CHUNK.pack(_CHUNK.size + len(data) + room, len(data), number, _MAGIC))
            copy.write(data + bytes(room))
        return streams, copy.tell()


def _chunks(tape: bytes | mmap.mmap) -> Iterator[tuple[int, bytes]]:
    """Number of the stream, and data of each chunk; ends where the tape is damaged."""
    at = 0
    while at + _CHUNK.size <= len(tape):
        size, used, stream, magic = _CHUNK.unpack_from(tape, at)
        if size == 0:
            at = (at // _PAGE + 1) * _PAGE
            continue
        if magic != _MAGIC or size < _CHUNK.size or size % 16 or used > size - _CHUNK.size:
            return
        start = at + _CHUNK.size
        yield stream, tape[start : start + used]
        at += size


def _stream(data: bytes) -> Stream:
    if len(data) < _LABEL.size:
        return Stream("unknown", "", "")
    *_, source, length = _LABEL.unpack_from(data)
    text = data[_LABEL.size : _LABEL.size + length].decode(errors="replace")
    thread, _, site = text.partition(" ")
    return Stream(source_name(source), thread, site)

"""How the agent writes tapes and reads them; part of the agent, see ``envfreeze_tape.py``.

While a run is recorded every value is appended to ``<process>.agent.log`` by one write(2), so that a kill
loses nothing and no file is mapped into the program. A record is a stream's number, a length and so many
bytes; numbers are varints of 7 bits a byte, the lowest first. Record 0 begins the next stream, by its label.
When the run is over ``observer/_tape_logs.py`` makes of it a tape in the shim's format (``shim/tape.h``),
which ``Player`` reads. Standard library only, Python 3.8 and newer.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENTROPY, CLOCK = 1, 16
_STRINGS = (1, 2, 4)
"""Sources whose values are strings of bytes."""
_MASK = (1 << 64) - 1
_MAGIC = 0x45504154
_LABEL = 26
_ORDER = sys.byteorder
_LOWEST_DESCRIPTOR = 700
_LARGEST_CHUNK = 1 << 30
_open, _close, _read, _write, _fstat = os.open, os.close, os.read, os.write, os.fstat
_pread, _dup2 = os.pread, os.dup2


def hashed(seed: int, data: bytes) -> int:
    """FNV-1a, 64 bit (Fowler, Noll, Vo): http://www.isthe.com/chongo/tech/comp/fnv/"""
    value = seed or 14695981039346656037
    for byte in data:
        value = ((value ^ byte) * 1099511628211) & _MASK
    return value


def numbered(seed: int, kind: bytes, *numbers: int) -> int:
    """The identity that follows from another one, by a letter and numbers."""
    value = hashed(seed, kind)
    for number in numbers:
        value = hashed(value, number.to_bytes(8, "little"))
    return value


def varint(value: int) -> bytes:
    if value < 128:
        return bytes((value,))
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def zigzag(value: int) -> int:
    """A difference as a number that is small when it is near to 0, within 64 bits."""
    value = (value + (1 << 63)) % (1 << 64) - (1 << 63)
    return ((value << 1) ^ (value >> 63)) & _MASK


class Stream:
    """What one thread got from one source at one place, in order."""

    __slots__ = ("at", "chunks", "data", "key", "last", "number", "over", "random", "site", "source", "taken")

    def __init__(self, key: int, source: int, site: str) -> None:
        self.key, self.source, self.site = key, source, site
        self.number = self.last = self.taken = self.at = 0
        self.random = key
        self.over = False
        self.data = b""
        self.chunks: list[tuple[int, int]] = []


class Log:
    """The file that a process appends to while it is recorded."""

    def __init__(self, path: str, folder: str, full: Callable[[], None]) -> None:
        self.path, self.folder, self.full = path, folder, full
        self.descriptor, self.identity = -1, (0, 0)
        self.allowed = self.streams = 0
        self.unit, self.most = _budget(folder)

    def begin(self, stream: Stream, thread: str) -> None:
        """Write a stream's label; it is found by it in a replay."""
        text = ("%s %s" % (thread, stream.site)).encode("utf-8", "replace")[:160]
        label = stream.key.to_bytes(8, _ORDER) * 2 + bytes(8) + bytes((stream.source, len(text))) + text
        self.streams += 1
        stream.number = self.streams
        self.append(b"\0" + varint(len(label)) + label)

    def put(self, stream: Stream, value: int) -> None:
        difference = varint(zigzag(value - stream.last))
        stream.last = value
        self.append(varint(stream.number) + bytes((len(difference),)) + difference)

    def put_bytes(self, stream: Stream, data: bytes) -> None:
        data = varint(len(data)) + data
        self.append(varint(stream.number) + varint(len(data)) + data)

    def append(self, record: bytes) -> None:
        """Write a record as a whole, or nothing more at all."""
        self.allowed -= len(record)
        while self.allowed < 0:
            if not self._reserve():
                return self.full()
        if not self._is_mine():
            self._open()
        if _write(self.descriptor, record) != len(record):
            self.full()
        return None

    def _reserve(self) -> bool:
        """Take a part of what all processes of the run may still write: a byte in a file stands for it."""
        if not self.unit:
            return False
        counter = _open(self.folder + "/spent", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write(counter, b".")
            self.allowed += self.unit
            return _fstat(counter).st_size <= self.most
        finally:
            _close(counter)

    def _is_mine(self) -> bool:
        """False when the program closed our descriptor, and perhaps opened its own under that number."""
        if self.descriptor < 0:
            return False
        try:
            status = _fstat(self.descriptor)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.identity

    def _open(self) -> None:
        low = _open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        status = _fstat(low)
        self.identity = (status.st_dev, status.st_ino)
        self.descriptor = moved_up(low)

    def close(self) -> None:
        """In a forked child, whose own tape is another."""
        if self._is_mine():
            _close(self.descriptor)
        self.descriptor = -1


def _budget(folder: str) -> tuple[int, int]:
    """Bytes that are taken at a time, and how many times; what is written as ``budget`` is the limit."""
    descriptor = _open(folder + "/budget", os.O_RDONLY | os.O_CLOEXEC)
    try:
        limit = int.from_bytes(_read(descriptor, 8), _ORDER, signed=True)
    finally:
        _close(descriptor)
    unit = max(1, min(1 << 16, limit // 16))
    return unit, limit // unit


def moved_up(low: int) -> int:
    """The descriptor under a high number: programs expect to be given 3, 4, 5, …."""
    for number in range(_LOWEST_DESCRIPTOR + 200, _LOWEST_DESCRIPTOR + 400):
        try:
            _fstat(number)
        except OSError:
            try:
                _dup2(low, number, False)
            except OSError:  # beyond RLIMIT_NOFILE
                return low
            _close(low)
            return number
    return low


class Player:
    """The tape of a process; a damaged one ends where the damage begins."""

    def __init__(self, path: str, state: str) -> None:
        self.path, self.state = path, state
        self.given: dict[int, Stream] = {}
        self.streams: dict[int, list[tuple[int, int]]] = {}
        self.keys: dict[int, int] = {}
        self.places: dict[str, list[int]] = {}
        self.labels: dict[int, tuple[int, str, str, int]] = {}
        self.claimed: set[int] = set()
        self.there = False
        try:
            descriptor = _open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        self.there = True
        try:
            note(state + "/played", path.rpartition("/")[2].partition(".")[0])
            self._walk(descriptor)
        finally:
            _close(descriptor)

    def _walk(self, descriptor: int) -> None:
        at, whole = 0, _fstat(descriptor).st_size
        while at + 16 <= whole:
            header = _pread(descriptor, 16, at)
            size, used, number, magic = (int.from_bytes(header[i : i + 4], _ORDER) for i in (0, 4, 8, 12))
            if magic != _MAGIC or size < 16 or used > size - 16 or size > min(whole - at, _LARGEST_CHUNK):
                return
            if number not in self.streams:
                start = self._label(_pread(descriptor, min(used, 512), at + 16), number)
                self.streams[number] = [(at + 16 + start, used - start)]
            else:
                self.streams[number].append((at + 16, used))
            at += size

    def _label(self, data: bytes, number: int) -> int:
        """Take in a stream's label; its length."""
        if len(data) < _LABEL or len(data) < _LABEL + data[25]:
            return len(data)
        thread, _, site = data[_LABEL : _LABEL + data[25]].decode("utf-8", "replace").partition(" ")
        self.keys.setdefault(int.from_bytes(data[:8], _ORDER), number)
        self.labels[number] = data[24], thread, site, _LABEL + data[25]
        if data[24] == ENTROPY:
            self.places.setdefault(site, []).append(number)
        return _LABEL + data[25]

    def find(self, stream: Stream) -> None:
        """Which thread of a pool does a piece of work is a race: what another one drew there is as good."""
        number = self.keys.get(stream.key)
        if number is None and stream.source == ENTROPY:
            free = (other for other in self.places.get(stream.site, ()) if other not in self.claimed)
            number = next(free, None)
        if number is not None:
            self.claimed.add(number)
            stream.number = number
            stream.chunks = list(self.streams[number])
            self.given[number] = stream

    def has(self, stream: Stream) -> bool:
        """Whether anything is left to give."""
        while stream.at >= len(stream.data):
            if not stream.chunks:
                return False
            offset, size = stream.chunks.pop(0)
            descriptor = _open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                stream.data, stream.at = _pread(descriptor, size, offset), 0
            finally:
                _close(descriptor)
        return True

    def unread(self) -> Iterator[tuple[int, str, str, int, int]]:
        """Source, thread, site, values taken and values left, of streams that were not read to their end."""
        for number, (source, thread, site, _) in self.labels.items():
            stream = self.given.get(number)
            taken = 0 if stream is None else stream.taken
            if stream is None:
                stream = Stream(0, source, site)
                stream.chunks = list(self.streams[number])
            more = 0
            while self.has(stream):
                if (self.take_bytes if source in _STRINGS else self.take)(stream) is None:
                    break
                more += 1
            if more:
                yield source, thread, site, taken, more

    def _varint(self, stream: Stream) -> int | None:
        if not self.has(stream):
            return None
        value = shift = 0
        data, at = stream.data, stream.at
        while at < len(data) and shift < 64:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                stream.at = at
                return value
            shift += 7
        stream.chunks, stream.data = [], b""  # damaged
        return None

    def take(self, stream: Stream) -> int | None:
        """The next number of the stream; None past its end."""
        value = self._varint(stream)
        if value is None:
            return None
        stream.taken += 1
        difference = (value >> 1) ^ -(value & 1)
        stream.last = (stream.last + difference + (1 << 63)) % (1 << 64) - (1 << 63)
        return stream.last

    def take_bytes(self, stream: Stream) -> bytes | None:
        """The next bytes of the stream; None past its end."""
        size = self._varint(stream)
        if size is None or size > len(stream.data) - stream.at:
            stream.chunks, stream.data = [], b""
            return None
        data = stream.data[stream.at : stream.at + size]
        stream.at += size
        stream.taken += 1
        return data


def note(path: str, line: str) -> None:
    """Append a line to a file; whole, as other processes do the same."""
    descriptor = _open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        _write(descriptor, line.encode("utf-8", "replace")[:4000] + b"\n")
    finally:
        _close(descriptor)


def made_up(stream: Stream, size: int) -> bytes:
    """What goes on after the tape: SplitMix64 (Steele, Lea, Flood 2014): https://doi.org/10.1145/2660193.2660195"""
    parts = []
    for _ in range(0, size, 8):
        stream.random = (stream.random + 0x9E3779B97F4A7C15) & _MASK
        value = stream.random
        value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
        parts.append((value ^ value >> 31).to_bytes(8, "little"))
    return b"".join(parts)[:size]

"""Records what a Python gets from sources of randomness and time, and gives it back in a replay.

Part of the agent, for processes in which the shim is not: it was not compiled, or this C library,
architecture or static program does not load it. Each ``envfreeze_taped_<module>.py`` beside this file knows
the sources of one module, and replaces its functions when the program first imports it; adding one is adding
a file. They see what Python code asks for, and nothing that libraries in C ask for by themselves.

As the shim does, it keeps one stream a thread, source and call site (``shim/tape.h``). A process is named
after who started it and its command line, so that names do not depend on numbers of processes. When
recording, no function returns anything else than it would have. Nothing is raised into the program but what
its own signal handlers raise. Standard library only, Python 3.8 and newer.
"""

from __future__ import annotations

import atexit
import os
import sys
from _thread import allocate_lock, get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

_SELF = "ENVFREEZE_TAPE_SELF"
_MOST_LINES = 200
_MOST_SITES = 50_000
_KEPT = "surrogateescape"
_FIRST = 1
"""Identity of the first thread of a process."""
_open, _close, _write = os.open, os.close, os.write


class Thread:
    """One thread of the program, named by the order of creation under its parent."""

    __slots__ = ("busy", "children", "forks", "id", "name", "spawns", "started", "streams")

    def __init__(self, identity: int, name: str) -> None:
        self.id, self.name = identity, name
        self.children = self.forks = self.spawns = self.started = 0
        self.busy = False
        self.streams: dict[Any, Any] = {}


class Tape:
    """The tape of this process, and what the files for modules work with."""

    def __init__(
        self, form: Any, places: Any, folder: str, state: str, roots: list[str], recording: bool
    ) -> None:
        self.form, self.folder, self.state, self.roots = form, folder, state, roots
        self.places, self.own_files = places, places.own_files
        self.caller, self.drawing = places.caller, places.drawing
        self.recording = recording
        self.on = True
        self.threads: dict[int, Thread] = {}
        self.adopted = self.lines = 0
        self.ended = False
        self.lock = allocate_lock()
        self.sites: dict[Any, str] = {}
        self.after_fork: list[Callable[[], None]] = []
        """Called in a forked child, when its own tape is open."""
        self.programs: Any = None
        self.clocks: Any = None
        self.numbers: Any = None
        self.attach_numbers: Any = None
        self.words = _command_line()
        self.name = b" ".join(self.words).decode("utf-8", "replace")[:200]
        self.id = self._own_identity()
        self._begin()

    def _begin(self) -> None:
        path = "%s/%016x.agent" % (self.folder, self.id)
        if self.recording:
            self.log = self.form.Log(path + ".log", self.folder, self._full)
        else:
            self.player = self.form.Player(path + ".tape", self.state)

    def _full(self) -> None:
        """Half a tape is worth more than one with holes: nothing more is recorded."""
        self.on = False
        _close(_open(self.folder + "/full", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    # Who this is

    def _own_identity(self) -> int:
        """By whoever started this process, its command line, and how many of the same came before."""
        given = os.environ.get(_SELF, "")[:16]
        try:
            start = int(given, 16)
        except ValueError:
            start = 0
        words = b"\0".join(_without_numbers(word.rpartition(b"/")[2]) for word in self.words[1:])
        identity = self.form.numbered(self.form.hashed(start, words), b"p")
        number = self._count("%016x" % identity)
        return int(identity if number == 1 else self.form.numbered(identity, b"u", number))

    def _count(self, name: str) -> int:
        """How many came before under this name, with this one: each adds a byte to a file."""
        place = self.folder if self.recording else self.state
        path, flags = "%s/%s.count" % (place, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = _open(path, flags, 0o600)
        try:
            _write(descriptor, b".")
            return os.lseek(descriptor, 0, os.SEEK_CUR)
        finally:
            _close(descriptor)

    def before_fork(self) -> None:
        try:
            self.thread().forks += 1
        except Exception:
            self.on = False

    def forked(self) -> None:
        """In a forked child: a tape of its own."""
        try:
            thread = self.thread()
            self.id = self.form.numbered(self.id, b"f", thread.id, thread.forks)
            self.name = "%s [fork %d]" % (self.name, thread.forks)
            self.lock = allocate_lock()
            self.threads = {get_ident(): Thread(_FIRST, "0")}
            self.adopted = self.lines = 0
            self.ended = False
            if self.recording:
                self.log.close()
            if self.on:
                self._begin()
            for function in self.after_fork:
                function()
        except Exception:
            self.on = False  # Python would print it

    def thread(self) -> Thread:
        found = self.threads.get(get_ident())
        return self._adopt() if found is None else found

    def _adopt(self) -> Thread:
        """The first thread, or one that was not started by Python."""
        with self.lock:
            self.adopted += 1
            name = "u%d" % (self.adopted - 1) if self.adopted > 1 else "0"
            identity = _FIRST if self.adopted == 1 else self.form.hashed(0, name.encode())
            self.threads[get_ident()] = thread = Thread(identity, name)
        return thread

    def new_thread(self) -> Thread:
        """For a thread that this one is about to start."""
        parent = self.thread()
        parent.children += 1
        identity = self.form.numbered(parent.id, b"t", parent.children)
        return Thread(identity, "%s.%d" % (parent.name, parent.children - 1))

    def begin_thread(self, thread: Thread) -> None:
        self.threads[get_ident()] = thread

    def end_thread(self, thread: Thread) -> None:
        if self.threads.get(get_ident()) is thread:
            del self.threads[get_ident()]

    # Where it asks

    def stream(self, thread: Thread, source: int, label: str, code: CodeType | None) -> Any:
        """The stream of what this code asks a source for."""
        key = source, label, code
        found = thread.streams.get(key)
        if found is None:
            if len(thread.streams) > _MOST_SITES:
                return self.named(thread, source, "many places")
            site = self.sites.get((label, code))
            if site is None:
                site = label if code is None else "%s in %s" % (label, self.places.described(code))
                self.sites[(label, code)] = site
            found = thread.streams[key] = self.named(thread, source, site)
        return found

    def named(self, thread: Thread, source: int, name: str) -> Any:
        """A stream that is found by a name, a path mostly, and not by who asks."""
        found = thread.streams.get((source, name))
        if found is not None:
            return found
        key = self.form.hashed(self.form.numbered(thread.id, b"", source), name.encode("utf-8", "replace"))
        found = self.form.Stream(key, source, name[-110:])
        if not self.recording:
            self.player.find(found)
        thread.streams[(source, name)] = found
        return found

    def path(self, path: str) -> str:
        """A path without the project's own place, which a replay may not have."""
        for root in self.roots:
            if path == root or path.startswith(root + "/"):
                return path[len(root) :]
        return path

    # What it gets

    def enter(self) -> Thread | None:
        """This thread, if its next value goes through the tape; then ``leave`` has to follow."""
        if not self.on:
            return None
        try:
            thread = self.thread()
        except Exception as error:
            self.failed(error)
            return None
        if thread.busy:  # a signal handler or a finaliser interrupted one of us
            return None
        thread.busy = True
        return thread

    def _label(self, thread: Thread, stream: Any) -> None:
        if not stream.number:
            with self.lock:
                self.log.begin(stream, thread.name)

    def put(self, thread: Thread, stream: Any, value: int) -> None:
        self._label(thread, stream)
        self.log.put(stream, value)

    def put_bytes(self, thread: Thread, stream: Any, data: bytes) -> None:
        self._label(thread, stream)
        self.log.put_bytes(stream, data)

    def take(self, thread: Thread, stream: Any) -> int | None:
        """The recorded number; None past the end."""
        value: int | None = self.player.take(stream)
        if value is None:
            self.left(thread, stream, "asked again after the last of the tape")
        return value

    def number(self, thread: Thread, stream: Any, ask: Callable[[], int]) -> int:
        """What ``ask`` says, or said in the recorded run; past the end what it says now."""
        if self.recording:
            value = ask()
            self.put(thread, stream, value)
            return value
        found = self.take(thread, stream)
        return ask() if found is None else found

    def text(self, thread: Thread, stream: Any, now: bytes) -> bytes:
        """The text as it is now, or as it was."""
        if self.recording:
            self.put_bytes(thread, stream, now)
            return now
        found: bytes | None = self.player.take_bytes(stream)
        if found is None:
            self.left(thread, stream, "asked again after the last of the tape")
        return now if found is None else found

    def said(self, source: int, name: str, now: str) -> str:
        """A text that is the same whoever asks, as it is now, or as it was."""
        thread = self.enter()
        if thread is None:
            return now
        try:
            stream = self.named(thread, source, name)
            if self.recording or self.player.has(stream):
                return self.text(thread, stream, now.encode("utf-8", _KEPT)).decode("utf-8", _KEPT)
        except Exception as error:
            self.failed(error)
        finally:
            thread.busy = False
        return now

    def random(self, thread: Thread, stream: Any, size: int, draw: Callable[[int], bytes]) -> bytes:
        """Random bytes; in a replay the recorded ones, and made up from the stream's name past their end."""
        if self.recording:
            data = draw(size)
            self.put_bytes(thread, stream, data)
            return data
        data = self.player.take_bytes(stream)
        if data is None:
            data = b""
            self.left(thread, stream, "asked again after the last of the tape")
        elif len(data) != size:
            self.left(thread, stream, "asked for another number of bytes than recorded", given=1)
        return data[:size] + bytes(self.form.made_up(stream, size - len(data)))

    def left(self, thread: Thread, stream: Any, why: str, given: int = 0) -> None:
        """Say where the replay left the tape, as ``shim/playback.c`` does."""
        if stream.over or self.lines >= _MOST_LINES:
            return
        stream.over = True
        self.lines += 1
        inner, place = self.places.place(sys._getframe(1))
        self._say(stream.source, thread.name, stream.site, stream.taken - given, inner, place, why)

    def _say(self, source: int, thread: str, site: str, taken: int, *words: str) -> None:
        fields = [self.name, str(source), thread, site, str(taken), *words]
        line = "\t".join("".join(c if c >= " " else " " for c in field) for field in fields)
        self.form.note(self.state + "/left", line)

    def end(self) -> None:
        """At the end of a replay's process: where the recorded run went on."""
        try:
            if self.ended or self.recording or not self.on:
                return
            self.ended = True
            for source, thread, site, taken, more in self.player.unread():
                waits = source < self.form.CLOCK or " in " not in site or "time.monotonic" in site
                if (source == self.form.ENTROPY or not waits) and self.lines < _MOST_LINES:
                    self.lines += 1
                    self._say(source, thread, site, taken, "", "", "the recorded run went on", str(more))
        except Exception:
            pass

    def failed(self, error: BaseException) -> None:
        """After a failure of ours the program goes on without us; what its signal handler raised goes on."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None and trace.tb_frame.f_code.co_filename not in self.own_files:
            raise error
        self.on = False
        if self.recording:
            say_failed(self.folder, error)


def say_failed(folder: str, error: BaseException) -> None:
    """Leave a note for the lock: something is not on the tape."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        descriptor = _open(folder + "/failed", flags, 0o600)
        try:
            _write(descriptor, ("%s: %s" % (type(error).__name__, error)).encode("utf-8", "replace")[:300])
        finally:
            _close(descriptor)
    except Exception:
        pass


def _command_line() -> list[bytes]:
    descriptor = _open("/proc/self/cmdline", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 1 << 16).rstrip(b"\0").split(b"\0")
    finally:
        _close(descriptor)


def _without_numbers(word: bytes) -> bytes:
    """Descriptors and numbers of processes are in command lines, as those of multiprocessing."""
    return word.translate(None, b"0123456789")


def start(folder: str, load: Callable[[str, str], Any]) -> None:
    """Begin to record or to play in this process, when the run is taped and the shim is not here.

    Args:
        folder: where the agent's files lie.
        load: imports a file without a trace in ``sys.modules``.
    """
    mode, tapes = os.environ.get("ENVFREEZE_TAPE", ""), os.environ.get("ENVFREEZE_TAPES", "")
    if mode not in ("record", "replay") or not tapes.startswith("/"):
        return
    try:
        _start(folder, load, tapes, mode == "record")
    except Exception as error:
        say_failed(tapes, error)


def _start(folder: str, load: Callable[[str, str], Any], tapes: str, recording: bool) -> None:
    state = os.environ.get("ENVFREEZE_TAPE_STATE") or tapes

    def part(name: str) -> Any:
        places.own_files.add("%s/%s.py" % (folder, name))
        return load(name, "%s/%s.py" % (folder, name))

    places = load("envfreeze_tape_places", folder + "/envfreeze_tape_places.py").Places()
    places.own_files |= {"%s/envfreeze_%s.py" % (folder, name) for name in ("agent", "tape")}
    roots = [root for root in os.environ.get("ENVFREEZE_TAPE_ROOT", "").split("\n") if root]
    tape = Tape(part("envfreeze_tape_format"), places, tapes, state, roots, recording)
    if not recording and not os.environ.get("ENVFREEZE_TAPE_AGENT"):
        return  # the shim's, which is not here
    os.register_at_fork(before=tape.before_fork, after_in_child=tape.forked)
    atexit.register(tape.end)
    numbers = part("envfreeze_tape_numbers")
    tape.numbers, tape.attach_numbers = numbers.Numbers(tape), numbers.attach
    tape.programs = part("envfreeze_tape_programs").Programs(tape)
    part("envfreeze_tape_hooks").start(folder, load, tape)

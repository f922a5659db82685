"""What the module os tells of folders and of the machine; programs that it starts are told their names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_HOST, _USER, _FOLDER_ORDER = 2, 4, 6
_LARGEST_PRIME = 4294967291  # below 2**32


def attach(module: Any, tape: Any, put: Any) -> None:
    put(module, "listdir", lambda original, path=".": _listed(module, tape, original(path), path))
    put(module, "scandir", lambda original, path=".": _scanned(module, tape, original, path))
    put(module, "uname", lambda original: _with_name(tape, original()))
    put(module, "getlogin", lambda original: _login(tape, original))
    _programs(module, tape, put)
    tape.attach_numbers(module, tape, put)


def _listed(module: Any, tape: Any, entries: Any, path: Any) -> Any:
    return ordered(tape, path, entries, module.fsencode, module)


def _scanned(module: Any, tape: Any, original: Any, path: Any) -> Any:
    scan = original(path)
    if not tape.on:
        return scan
    with scan:
        entries = list(scan)
    return Scan(ordered(tape, path, entries, lambda entry: module.fsencode(entry.name), module))


class Scan:
    """Stands for the iterator that ``os.scandir`` returns."""

    def __init__(self, entries: list[Any]) -> None:
        self.entries = iter(entries)

    def __iter__(self) -> Scan:
        return self

    def __next__(self) -> Any:
        return next(self.entries)

    def __enter__(self) -> Scan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.entries = iter(())


def ordered(tape: Any, path: Any, entries: list[Any], name_of: Any, module: Any) -> list[Any]:
    """The entries of a folder in the recorded order; those that are new come last, sorted."""
    thread = tape.enter()
    if thread is None:
        return entries
    try:
        place = _place(path, module)
        stream = tape.named(thread, _FOLDER_ORDER, tape.path(place))
        if not tape.recording:
            return _reordered(tape, stream, entries, name_of)
        for entry in entries:
            tape.put(thread, stream, _short(name_of(entry)))
        tape.put(thread, stream, 0)
    except Exception as error:
        tape.failed(error)
    finally:
        thread.busy = False
    return entries


def _place(path: Any, module: Any) -> str:
    if path is None:
        path = "."
    if type(path) is int:
        path = module.readlink("/proc/self/fd/%d" % path)
    return str(module.path.abspath(module.fsdecode(path)))


def _short(name: bytes) -> int:
    return int.from_bytes(name, "little") % _LARGEST_PRIME + 1


def _reordered(tape: Any, stream: Any, entries: list[Any], name_of: Any) -> list[Any]:
    by_hash: dict[int, list[Any]] = {}
    for entry in sorted(entries, key=name_of, reverse=True):
        by_hash.setdefault(_short(name_of(entry)), []).append(entry)
    found = []
    while tape.player.has(stream):
        known = tape.player.take(stream)
        if not known:
            break
        if by_hash.get(known):
            found.append(by_hash[known].pop())
    rest: Iterable[Any] = (entry for same in by_hash.values() for entry in same)
    return found + sorted(rest, key=name_of)


def _with_name(tape: Any, names: Any) -> Any:
    return type(names)((names[0], tape.said(_HOST, "host", names[1]), *names[2:]))


def _login(tape: Any, original: Any) -> Any:
    """In a container nobody has logged in."""
    if tape.recording:
        return tape.said(_USER, "login", original())
    try:
        now = original()
    except OSError:
        now = None
    found = tape.said(_USER, "login", now or "")
    return found if found else original()


def _programs(module: Any, tape: Any, put: Any) -> None:
    """Names for the programs that this process starts, or becomes."""

    def environment(given: Any, kind: bytes) -> Any:
        return tape.programs.environment(given, kind)

    def becomes(original: Any, path: Any, *arguments: Any) -> Any:
        tape.programs.tell_next(b"e")
        return original(path, *arguments)

    def becomes_with(original: Any, path: Any, arguments: Any, env: Any) -> Any:
        return original(path, arguments, environment(env, b"e"))

    def spawns(original: Any, path: Any, arguments: Any, env: Any, **named: Any) -> Any:
        given = env if env is None else environment(env, b"s")  # since Python 3.13 None is this process's
        return tape.programs.starting(env is None, lambda: original(path, arguments, given, **named))

    def system(original: Any, command: Any) -> Any:
        tape.programs.tell_next(b"s")
        return original(command)

    def leaves(original: Any, status: Any) -> Any:
        tape.end()
        return original(status)

    put(module, "_exit", leaves)
    put(module, "execv", becomes)
    put(module, "execve", becomes_with)
    put(module, "posix_spawn", spawns)
    put(module, "posix_spawnp", spawns)
    put(module, "system", system)

"""Runs envfreeze in forks of one process that has imported it: a kill costs milliseconds, not an interpreter.

``python _forks.py`` reads requests, one JSON object a line, and answers each with one.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil

_CHANGES = {
    f"os.{name}" for name in ("rename", "mkdir", "remove", "rmdir", "link", "symlink", "truncate", "chmod")
}


class Ended(NamedTuple):
    """How a command ended: exit status, or the negative number of the signal."""

    status: int
    changes: int
    """How often it changed the disk; 0 when it was killed."""
    seconds: float
    words: str


class Forks:
    """Starts commands, each in a fork."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._server = subprocess.Popen(
            [sys.executable, "-B", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(
        self, folder: Path, *words: str, at: int = 0, after: float = 0, largest: int | None = None
    ) -> Ended:
        """Run ``envfreeze WORDS`` in a folder.

        Args:
            at: kill it (SIGKILL) before its so-many-th change of the disk.
            after: kill it and all that it started after so many seconds.
            largest: no file may become larger than so many bytes (RLIMIT_FSIZE).
        """
        request = {
            "folder": str(folder), "words": words, "at": at, "after": after, "largest": largest,
            "report": str(self._scratch / "report"),
        }  # fmt: skip
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        ended = Ended(**json.loads(self._server.stdout.readline()))
        assert "Traceback" not in ended.words and "fault in envfreeze" not in ended.words, ended.words
        return ended

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(30)


def _count(at: int, report: str) -> None:
    """Write down how often the disk was changed, or end the process before one of the changes."""
    lock, me, count = threading.Lock(), os.getpid(), 0
    flags = os.O_WRONLY | os.O_RDWR

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open":
            if not (isinstance(arguments[2], int) and arguments[2] & flags):
                return
        elif event not in _CHANGES:
            return
        if os.getpid() == me:
            with lock:
                count += 1
                if count == at:
                    os.kill(me, signal.SIGKILL)

    sys.addaudithook(hook)
    _counted[:] = [lambda: Path(report).write_text(str(count))]


_counted: list[Any] = []


def _child(request: dict[str, Any], said: int) -> int:
    from envfreeze.cli._main import run

    os.setsid()
    os.chdir(request["folder"])
    for descriptor in (1, 2):
        os.dup2(said, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if request["largest"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest"], resource.RLIM_INFINITY))
    _count(request["at"], request["report"])
    status = run(request["words"])
    sys.stdout.flush()
    sys.stderr.flush()
    if request["largest"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    _counted[0]()
    return status


def _serve() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        Path(request["report"]).unlink(missing_ok=True)
        began = time.monotonic()
        reading, said = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(_child(request, said))
            except BaseException as error:
                os.write(said, f"Traceback: {error!r}".encode())
            finally:
                os._exit(99)
        os.close(said)
        reader = _Words(reading)
        if request["after"]:
            _kill_after(pid, request["after"])
        _, status = os.waitpid(pid, 0)
        _kill(pid)
        _end_orphans()
        took = time.monotonic() - began
        report = Path(request["report"])
        changes = int(report.read_text() or 0) if report.exists() else 0
        reader.join()
        answer = {
            "status": os.waitstatus_to_exitcode(status), "changes": changes, "seconds": took,
            "words": b"".join(reader.parts).decode(errors="replace"),
        }  # fmt: skip
        print(json.dumps(answer), flush=True)


class _Words(threading.Thread):
    """What comes through a pipe until its end: files may not be able to grow."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor, self.parts = descriptor, list[bytes]()
        self.start()

    def run(self) -> None:
        with os.fdopen(self.descriptor, "rb") as stream:
            while data := stream.read1():
                self.parts.append(data)


def _kill_after(pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(min(left, 0.002))
    _kill(pid)


def _end_orphans() -> None:
    """End what a killed command had started, in sessions of their own too, so that the next finds peace."""
    for orphan in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            orphan.kill()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _import_all() -> None:
    """What the commands import when they need it."""
    import importlib
    import pkgutil

    import envfreeze

    for module in pkgutil.walk_packages(envfreeze.__path__, "envfreeze."):
        heavy = (".compare", ".agent", ".exports", ".report", ".statistics", ".factors", "__main__", "._data")
        if not any(part in module.name for part in heavy):
            try:
                importlib.import_module(module.name)
            except ImportError:
                continue
    for name in ("jinja2", "yaml", "rocrate.rocrate", "detect_secrets", "psutil", "packaging.tags", "httpx2"):
        try:
            importlib.import_module(name)
        except ImportError:
            continue


_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): orphans below become this process's children."""

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    _import_all()
    _serve()

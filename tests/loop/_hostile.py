"""A frozen project to spoil, and machines that fail on purpose."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from envfreeze.records import lockfile
from envfreeze.records.environment import Package
from envfreeze.records.lock import Lock

from .conftest import Result, run

HOLD = """\
import os, pathlib, time
pathlib.Path("out").mkdir(exist_ok=True)
open("out/early.txt", "w").write("early")
print("begun", flush=True)
time.sleep(float(open("seconds.txt").read()))
open("out/late.txt", "w").write("late")
"""
"""Ends at once when it is frozen, and hangs when it is replayed with a larger number."""

BAD_DIGEST = "7c36363eb00af68a99a97f46a6afb2f15c8ef7b6385962c3c5df4d3a7ae69f3a"


def freeze_project(folder: Path, environment: Path) -> Path:
    """A project with a frozen run, made once a session; tests work on copies."""
    (folder / "out").mkdir(parents=True)
    (folder / "hold.py").write_text(HOLD)
    (folder / "seconds.txt").write_text("0")
    done = run("freeze", "--offline", "-q", "--", "python", "hold.py", cwd=folder, path=[environment])
    assert done.returncode == 0, done.stderr
    return folder


def change(project: Path, edit: Callable[[Lock], Lock]) -> None:
    """Rewrite the lock as a stranger may have written it."""
    path = project / "envfreeze.lock"
    path.write_bytes(lockfile.dumps(edit(lockfile.read(path))))


def with_run(**changes: Any) -> Callable[[Lock], Lock]:
    """The lock with another run."""

    def edit(lock: Lock) -> Lock:
        assert lock.run is not None
        return msgspec.structs.replace(lock, run=msgspec.structs.replace(lock.run, **changes))

    return edit


def with_package(**fields: Any) -> Callable[[Lock], Lock]:
    """The lock with one more package."""
    package = Package(**{"name": "nowhere", "version": "1", "source": "index", "sha256": BAD_DIGEST} | fields)
    return lambda lock: msgspec.structs.replace(lock, packages=(package,))


def refused(done: Result, code: int, *words: str) -> None:
    """One sentence (and perhaps one hint) on standard error, in human words, with this exit code."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    told = [line for line in done.stderr.splitlines() if not line.startswith(("· ", "! "))]
    assert told[0].startswith("envfreeze: ") and told[0].endswith("."), told
    assert len(told) <= 2 and all(line.startswith("  ") for line in told[1:]), told
    assert "fault in envfreeze" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def traces(project: Path) -> list[str]:
    """What an unfinished command left in the store."""
    store = project / ".envfreeze"
    left = [f"tmp/{path.name}" for path in (store / "tmp").glob("*")]
    left += [f"runs/{path.name}" for path in (store / "runs").glob("*")]
    left += [path.name for path in (store / "environments").glob("[!.]*")]
    return left + [path.name for path in project.glob(".*.tmp")]


class Running:
    """An envfreeze process with its own process group, as a shell gives it."""

    def __init__(
        self, *arguments: str | Path, cwd: Path, env: Mapping[str, str], path: Sequence[Path]
    ) -> None:
        variables = dict(os.environ) | dict(env)
        variables["PATH"] = os.pathsep.join([*map(str, path), variables["PATH"]])
        self.said = cwd.parent / f"said-{time.monotonic_ns()}"
        with self.said.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "envfreeze", *map(str, arguments)],
                cwd=cwd,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def words(self) -> str:
        return self.said.read_text(errors="replace")

    def until(self, condition: Callable[[], object], seconds: float = 120) -> None:
        """Wait for something to be seen, while it runs."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.words}"
            assert time.monotonic() < deadline, self.words
            time.sleep(0.02)

    def end(self, number: int | None = signal.SIGINT, *, seconds: float = 30) -> int:
        """Send the signal to the group, as the terminal does for Ctrl-C; return the exit status."""
        if number is not None:
            os.killpg(self.process.pid, number)
        status = self.process.wait(seconds)
        assert "Traceback" not in self.words, self.words
        return status


@contextmanager
def started(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, path: Sequence[Path] = ()
) -> Iterator[Running]:
    """Start envfreeze and make sure that it does not outlive the test."""
    running = Running(*arguments, cwd=cwd, env=env or {}, path=path)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()


class Index:
    """A package index on this machine: one page for every package; its files never come."""

    def __init__(self) -> None:
        self.page = ""
        self.asked_for_file = threading.Event()
        self._closing = threading.Event()
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith(".whl"):
                    index.asked_for_file.set()
                    index._closing.wait(120)
                    return
                body = f"<!DOCTYPE html><html><body>{index.page}</body></html>".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()


class Proxy(threading.Thread):
    """A socket that leads to the Docker engine until it is cut: the engine as if it had been stopped."""

    def __init__(self, path: Path, engine: str) -> None:
        super().__init__(daemon=True)
        self.path, self.engine = path, engine
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen(64)
        self.open: list[socket.socket] = []
        self.start()

    @property
    def host(self) -> str:
        return f"unix://{self.path}"

    def run(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self.engine)
            self.open += [client, engine]
            for one, other in ((client, engine), (engine, client)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self) -> None:
        """Nothing answers any more, and what was under way breaks off."""
        self.path.unlink(missing_ok=True)
        for connection in (self.server, *self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def engine_socket() -> str:
    """Path of the Docker engine's socket."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert host.startswith("unix://"), "these tests lead a local engine's socket through their own"
    return host.removeprefix("unix://")


def copied(project: Path, to: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(project, to, symlinks=True))

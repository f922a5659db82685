"""Small real environments: wheels made with zipfile, virtual environments, and an index on this machine."""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uv

from envfreeze.observer.target import examine
from envfreeze.probes import Target


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def make_wheel() -> Callable[..., Path]:
    """``make_wheel(folder, "name", "1.0", tag=…, file_tag=…, files={…})`` makes a wheel of one module."""

    def make(
        folder: Path,
        name: str,
        version: str = "1.0",
        *,
        tag: str = "py3-none-any",
        file_tag: str = "",
        build: str = "",
        files: dict[str, str] | None = None,
        mark: str = "",
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{name}-{version}"
        info = f"{stem}.dist-info"
        content = {f"{name}.py": f"VERSION = {version!r}\n# {mark}\n", **(files or {})}
        tags = "".join(f"Tag: {one}\n" for one in tag.split())
        content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        content[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n" + tags
        content[f"{info}/WHEEL"] += f"Build: {build}\n" if build else ""
        record = ""
        for path, text in content.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(text)}\n"
        content[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
        middle = f"-{build}" if build else ""
        wheel = folder / f"{stem}{middle}-{file_tag or tag.split()[0]}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in content.items():
                archive.writestr(path, text)
        return wheel

    return make


class Environment:
    """A virtual environment without pip, and the variables that a command in it would have."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.python = str(folder / "bin" / "python")
        self.variables = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "HOME": str(home),
            "VIRTUAL_ENV": str(folder),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
        }
        self.project = home / "project"
        self.project.mkdir(parents=True, exist_ok=True)

    @property
    def packages(self) -> Path:
        return next((self.folder / "lib").glob("python*")) / "site-packages"

    def install(self, *arguments: str | Path) -> None:
        words = [uv.find_uv_bin(), "pip", "install", "-q", "--no-config", "--python", self.python]
        words += ["--no-deps", "--link-mode", "copy", *map(str, arguments)]
        subprocess.run(words, check=True, env=os.environ | {"UV_NO_CACHE": "1"})

    def target(self, *, offline: bool = False, **variables: str) -> Target:
        environment = self.variables | variables
        return Target(
            executable=self.python,
            directory=str(self.project),
            environment=environment,
            facts=examine(self.python, environment, self.project),
            offline=offline,
            project=self.project,
        )

    def run(self, code: str) -> str:
        finished = subprocess.run(
            [self.python, "-c", code], capture_output=True, text=True, check=True, cwd=self.project
        )
        return finished.stdout.strip()


@pytest.fixture
def make_environment(tmp_path: Path) -> Callable[[str], Environment]:
    def make(name: str = "venv") -> Environment:
        folder = tmp_path / name
        subprocess.run([uv.find_uv_bin(), "venv", "-q", "--python", sys.executable, folder], check=True)
        return Environment(folder, tmp_path / "home")

    return make


@pytest.fixture
def environment(make_environment: Callable[[str], Environment]) -> Environment:
    return make_environment("venv")


class SimpleIndex:
    """A package index (PEP 503) over HTTP: a folder a project; optionally behind a password."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []
        self.password = ""
        self.ranges = self.ranges_from_the_end = True
        self.sent = 0
        self.status = 200
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                expected = "Basic " + base64.b64encode(f"user:{index.password}".encode()).decode()
                if index.password and self.headers.get("Authorization") != expected:
                    self.answer(401, b"", **{"WWW-Authenticate": "Basic"})
                elif index.status != 200:
                    self.answer(index.status, b"")
                elif self.path.endswith("/"):
                    self.page(index.root / self.path.strip("/"))
                else:
                    self.file(index.root / self.path.strip("/"))

            def page(self, folder: Path) -> None:
                if not folder.is_dir():
                    return self.answer(404, b"")
                links = "".join(
                    f'<a href="{file.name}#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}">'
                    f"{file.name}</a>\n"
                    for file in sorted(folder.iterdir())
                )
                return self.answer(200, links.encode(), **{"Content-Type": "text/html"})

            def file(self, path: Path) -> None:
                data = path.read_bytes()
                if not index.ranges:
                    return self.answer(200, data)
                first, last = self.headers["Range"].removeprefix("bytes=").split("-")
                if not first and not index.ranges_from_the_end:
                    return self.answer(416, b"")
                start = int(first) if first else max(0, len(data) - int(last))
                end = int(last) + 1 if first else len(data)
                span = f"bytes {start}-{end - 1}/{len(data)}"
                return self.answer(206, data[start:end], **{"Content-Range": span})

            def answer(self, status: int, body: bytes, **headers: str) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                index.sent += len(body)
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def variables(self) -> dict[str, str]:
        return {"PIP_INDEX_URL": self.url, "PIP_NO_INDEX": "0"}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SimpleIndex]:
    (tmp_path / "index").mkdir()
    started = SimpleIndex(tmp_path / "index")
    yield started
    started.server.shutdown()
    started.server.server_close()

"""Packages of an index behind a password: all works, and the password is kept nowhere."""

from __future__ import annotations

import base64
import functools
import http.server
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from . import _packages
from .conftest import ENGINES, run
from .test_projects import own_address

USER, PASSWORD = "ada", "correct-h0rse-battery"
SECRETS = (PASSWORD.encode(), base64.b64encode(f"{USER}:{PASSWORD}".encode()))


class _Private(http.server.SimpleHTTPRequestHandler):
    """A folder of files for those who know the password (RFC 7617)."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") == f"Basic {SECRETS[1].decode()}":
            return super().do_GET()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="packages"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """``host:port`` of a simple index (PEP 503) with one package; containers reach it too."""
    project = tmp_path / "index" / "simple" / "privately"
    wheel = _packages.make_wheel(project, "privately", "1.0", {"privately.py": "ANSWER = 42\n"})
    (project / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    handler = functools.partial(_Private, directory=str(tmp_path / "index"))
    serving = http.server.ThreadingHTTPServer(("0.0.0.0", 0), handler)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"{own_address()}:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


def by_variables(home: Path, server: str) -> dict[str, str]:
    return {"PIP_INDEX_URL": f"http://{USER}:{PASSWORD}@{server}/simple"}


def by_netrc(home: Path, server: str) -> dict[str, str]:
    """pip's configuration names the index, and ~/.netrc the password."""
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text(f"[global]\nindex-url = http://{server}/simple\n")
    netrc = home / ".netrc"
    netrc.write_text(f"machine {server.partition(':')[0]} login {USER} password {PASSWORD}\n")
    netrc.chmod(0o600)
    return {}


def files_with_a_secret(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path) for path in paths if any(secret in path.read_bytes() for secret in SECRETS)]


def freeze(folder: Path, server: str, settings: Mapping[str, str], home: Path) -> Path:
    url = f"http://{USER}:{PASSWORD}@{server}/simple"
    arguments = ("--index-url", url, "--trusted-host", server.partition(":")[0], "privately")
    environment = _packages.make_environment_with_pip(folder / "venv", *arguments)
    project = folder / "project"
    project.mkdir()
    (project / "ask.py").write_text("import privately; print(privately.ANSWER)")
    done = run("freeze", "--", "python", "ask.py", cwd=project, env=settings, path=[environment])
    assert done.returncode == 0, done.stdout + done.stderr
    lock = yaml.safe_load((project / "envfreeze.lock").read_text())
    (package,) = (package for package in lock["packages"] if package["name"] == "privately")
    assert package["source"] == "index"
    assert package["index"] == f"http://{server}/simple" and not package.get("vendored")
    shutil.rmtree(folder / "venv")
    return project


@pytest.mark.parametrize("configured", [by_variables, by_netrc])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_private_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, engine: str, configured: object
) -> None:
    assert callable(configured)
    home = tmp_path / "home"
    home.mkdir()
    host = server.partition(":")[0]
    for name in (
        "PIP_CONFIG_FILE",
        "PIP_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "NETRC",
        "XDG_CONFIG_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PIP_TRUSTED_HOST": host,
        "no_proxy": host,
        **configured(home, server),
    }
    project = freeze(tmp_path, server, settings, home)
    done = run("replay", "--engine", engine, "--require", "identical", cwd=project, env=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not files_with_a_secret(project)
    if engine == "docker":
        image = run("build", "--engine", "docker", "--json", cwd=project, env=settings).json["reference"]
        assert not secrets_in_image(image)


def secrets_in_image(reference: str) -> list[str]:
    """Where in the image: its history and settings, and its layers, which are saved as plain tar files."""
    import docker

    client = docker.from_env()
    image = client.images.get(reference)
    about = f"{image.history()} {image.attrs}".encode()
    found = ["history"] if any(secret in about for secret in SECRETS) else []
    rest, installed = b"", False
    for chunk in image.save(chunk_size=1 << 22):
        if any(secret in rest + chunk for secret in SECRETS):
            found.append("a layer")
        installed |= b"ANSWER = 42" in rest + chunk
        rest = chunk[-200:]
    assert installed, "the layers can be searched"
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_an_index_that_cannot_be_reached(tmp_path: Path, engine: str) -> None:
    """Neither at the freeze nor at the replay: what is installed travels along, and is not called proved."""
    wheel = _packages.make_wheel(tmp_path / "wheels", "lonely", "1.0", {"lonely.py": "ANSWER = 42\n"})
    environment = _packages.make_environment(tmp_path / "venv", wheel)
    for about in tmp_path.rglob("direct_url.json"):
        about.unlink()
    project = tmp_path / "project"
    project.mkdir()
    (project / "ask.py").write_text("import lonely; print(lonely.ANSWER)")
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": "/dev/null", "no_proxy": "*"}
    nowhere |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PIP_RETRIES": "0"}
    done = run("freeze", "--", "python", "ask.py", cwd=project, env=nowhere, path=[environment])
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = yaml.safe_load((project / "envfreeze.lock").read_text())["packages"]
    assert (package["vendored"], package["proof"]) == (True, "unproved")
    for gone in ("venv", "wheels"):
        shutil.rmtree(tmp_path / gone)
    done = run("replay", "--engine", engine, "--require", "identical", cwd=project, env=nowhere)
    assert done.returncode == 0, done.stdout + done.stderr

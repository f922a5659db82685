"""Words for engines that cannot be used, and the search for a client that drives BuildKit."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from envfreeze.engines import _docker_build, _docker_client
from envfreeze.engines.docker import ENGINE
from envfreeze.errors import EnvironmentFailure
from envfreeze.progress import Silent
from envfreeze.records.run import Image, Job
from envfreeze.store import Store


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    _docker_build.buildkit_client.cache_clear()
    yield
    _docker_build.buildkit_client.cache_clear()


def test_no_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    check = ENGINE.check()
    assert check.state == "missing"
    assert f"{tmp_path}/none.sock" in check.found
    assert "--engine local" in check.mend


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    assert "not running" in ENGINE.check().found


def test_no_answer_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "slow.sock"
    monkeypatch.setattr(_docker_client, "QUICK", 0.2)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert "does not answer" in ENGINE.check().found


def test_socket_of_others() -> None:
    error = OSError("Error while fetching server API version: PermissionError(13, 'Permission denied')")
    words = _docker_client._in_words("unix:///var/run/docker.sock", error)
    assert "usermod -aG docker" in words.mend


def test_nonsense_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "nonsense://x")
    assert "nonsense" in ENGINE.check().found


def test_without_engine_all_else_fails_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert ENGINE.base_exists("python:3.11-slim") is None
    assert ENGINE.base_digest("python:3.11-slim") is None
    image = Image(engine="docker", reference="envfreeze:0", environment_id="0" * 64)
    job = Job(command=("true",), directory="/w", project="/w")
    with pytest.raises(EnvironmentFailure, match="no Docker engine"):
        ENGINE.run(image, job, Store(tmp_path), tmp_path, progress=Silent())


def client(folder: Path, version: str, buildx: bool) -> str:
    folder.mkdir()
    program = folder / "docker"
    answer = "echo github.com/docker/buildx v0.12" if buildx else "exit 1"
    program.write_text(f'#!/bin/sh\ncase "$1" in --version) echo "{version}";; buildx) {answer};; esac\n')
    program.chmod(0o755)
    return str(program)


def test_first_client_that_drives_buildkit(tmp_path: Path) -> None:
    client(tmp_path / "a", "Docker version 28.2.2, build e6534b4", False)
    client(tmp_path / "b", "podman version 4.3.1", True)
    good = client(tmp_path / "c", "Docker version 20.10.24+dfsg1, build 297e128", False)
    client(tmp_path / "d", "Docker version 27.0.0, build x", True)
    path = ":".join(str(tmp_path / name) for name in "abcd")
    assert _docker_build.buildkit_client(path) == good


def test_plugin_makes_new_client_good(tmp_path: Path) -> None:
    good = client(tmp_path / "d", "Docker version 27.0.0, build x", True)
    assert _docker_build.buildkit_client(str(tmp_path / "d")) == good


def test_no_client_is_good(tmp_path: Path) -> None:
    client(tmp_path / "a", "Docker version 28.2.2, build e6534b4", False)
    assert _docker_build.buildkit_client(f"{tmp_path}/a::{tmp_path}/missing") is None

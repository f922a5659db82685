"""What all tests share: engine tests are skipped without a Docker engine, unless one is required."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

import pytest


@functools.cache
def engine_problem() -> str | None:
    """Why no Docker engine can be used here, or None."""
    import docker

    try:
        client = docker.from_env(timeout=5)
        client.ping()
        client.close()
    except docker.errors.DockerException as error:
        return str(error)
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("engine") or item.get_closest_marker("podman"):
            # One at a time: Docker 20.10's BuildKit has been seen to panic ("failed to get edge") when one
            # of two builds at the same time is cancelled, and that ends the engine for everybody.
            item.add_marker(pytest.mark.xdist_group("engine"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("podman") and shutil.which("podman") is None:
        pytest.skip("no podman")
    if item.get_closest_marker("engine") and engine_problem() is not None:
        if os.environ.get("ENVFREEZE_REQUIRE_ENGINE") == "1":
            pytest.fail(f"a Docker engine is required: {engine_problem()}", pytrace=False)
        pytest.skip(f"no Docker engine: {engine_problem()}")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The tests neither read nor fill the user's cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, which is the current folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def conda_channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a channel of tiny conda packages (see ``conda_channel.py``)."""
    from .conda_channel import make_channel

    return make_channel(tmp_path_factory.mktemp("conda") / "channel")

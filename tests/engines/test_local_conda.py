"""Conda environments of the local engine, and the archives that both engines link."""

from __future__ import annotations

import hashlib
import http.server
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from envfreeze.engines import _local_conda
from envfreeze.engines._conda_packages import fetch
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.progress import Silent
from envfreeze.records.recipe import CondaFile, CondaRecipe
from envfreeze.store import Store

ARCHIVE = b"archive"
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """A channel with one archive, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path == "/noarch/a-1-0.conda" else 404)
            self.send_header("Content-Length", str(len(ARCHIVE)))
            self.end_headers()
            self.wfile.write(ARCHIVE)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def recipe(*packages: CondaFile) -> CondaRecipe:
    return CondaRecipe(prefix="/opt/conda", packages=packages, tool="py-rattler==0\n")


def test_archives_are_downloaded_once(server: tuple[str, list[str]], tmp_path: Path) -> None:
    address, asked = server
    wanted = recipe(CondaFile(file="a-1-0.conda", url=f"{address}/noarch/a-1-0.conda", sha256=DIGEST))
    for number in range(2):
        fetch(wanted, Store(tmp_path), tmp_path / str(number), progress=Silent())
        assert (tmp_path / str(number) / "packages" / "a-1-0.conda").read_bytes() == ARCHIVE
    assert asked == ["/noarch/a-1-0.conda"]


def test_old_channels_have_md5_only(server: tuple[str, list[str]], tmp_path: Path) -> None:
    url = f"{server[0]}/noarch/a-1-0.conda"
    md5 = hashlib.md5(ARCHIVE).hexdigest()
    fetch(
        recipe(CondaFile(file="a-1-0.conda", url=url, md5=md5)),
        Store(tmp_path),
        tmp_path / "x",
        progress=Silent(),
    )
    assert (tmp_path / "x" / "packages" / "a-1-0.conda").is_file()


def test_another_content_is_refused(server: tuple[str, list[str]], tmp_path: Path) -> None:
    wanted = recipe(CondaFile(file="a-1-0.conda", url=f"{server[0]}/noarch/a-1-0.conda", sha256="1" * 64))
    with pytest.raises(InputError, match="does not have the content that the lock records"):
        fetch(wanted, Store(tmp_path), tmp_path / "x", progress=Silent())
    assert not list((tmp_path / "cache").rglob("*.conda"))


def test_removed_package(server: tuple[str, list[str]], tmp_path: Path) -> None:
    wanted = recipe(CondaFile(file="b-1-0.conda", url=f"{server[0]}/noarch/b-1-0.conda", sha256=DIGEST))
    with pytest.raises(EnvironmentFailure, match="answers 404 instead of the package"):
        fetch(wanted, Store(tmp_path), tmp_path / "x", progress=Silent())


def test_channel_out_of_reach(tmp_path: Path) -> None:
    wanted = recipe(CondaFile(file="b-1-0.conda", url="http://127.0.0.1:9/b-1-0.conda", sha256=DIGEST))
    with pytest.raises(EnvironmentFailure, match="cannot be downloaded"):
        fetch(wanted, Store(tmp_path), tmp_path / "x", progress=Silent())


def test_without_rattler_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFailure, match="py-rattler") as caught:
        _local_conda.install(recipe(), tmp_path / "env", tmp_path, Store(tmp_path), progress=Silent())
    assert "pip install py-rattler" in str(caught.value.hint)


def test_archive_that_is_no_package(tmp_path: Path) -> None:
    digest = Store(tmp_path).add_bytes(ARCHIVE)
    context = tmp_path / "context"
    context.mkdir()
    (context / "requirements.txt").write_text("")
    wanted = recipe(CondaFile(file="a-1-0.conda", sha256=digest))
    with pytest.raises(EnvironmentFailure, match="could not be installed"):
        _local_conda.install(wanted, tmp_path / "e" / "env", context, Store(tmp_path), progress=Silent())
    assert not list((tmp_path / "e").iterdir())

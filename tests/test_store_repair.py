"""Bit rot in the store: noticed, named, and mended from wherever the content still lies."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from envfreeze import artifacts, store_maintenance, workflow
from envfreeze.cli.store import COMMAND
from envfreeze.errors import InputError
from envfreeze.progress import Silent
from envfreeze.records import lockfile
from envfreeze.records.environment import Package
from envfreeze.store import Store
from envfreeze.store_repair import repair


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen folder, and beside it its bundle."""
    folder = tmp_path_factory.mktemp("frozen") / "project"
    folder.mkdir()
    (folder / "main.py").write_text("open('out.txt', 'w').write(open('in.txt').read() * 2)\nprint('said')\n")
    (folder / "in.txt").write_text("content")
    environment = folder.parent / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    command = [str(environment / "bin" / "python"), "main.py"]
    workflow.freeze(command, project=folder, directory=folder, offline=True, vendor_limit=1)
    artifacts.pack(folder, folder.parent / "paper.zip")
    return folder


@pytest.fixture
def frozen(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "frozen"))


def spoil(store: Store, digest: str, content: bytes | None = b"rotten") -> None:
    """Other content under its name, or none."""
    store.path(digest).unlink()
    if content is not None:
        store.path(digest).write_bytes(content)


def everything(store: Store) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.objects.rglob("*") if path.is_file()}


def digest_of(store: Store, what: str) -> str:
    (found,) = (
        item.sha256
        for item in store_maintenance.contents(store).objects
        if f"envfreeze.lock: {what}" in item.used_by
    )
    return found


def test_all_that_a_bundle_holds_comes_back_from_it(frozen: Path, template: Path, tmp_path: Path) -> None:
    store = Store(frozen)
    before = everything(store)
    for name in ("main.py", "in.txt", "out.txt"):
        (frozen / name).unlink()
    unpacked = artifacts.unpack(template.parent / "paper.zip", tmp_path / "unpacked")[0]
    for source in (template.parent / "paper.zip", unpacked, template):
        for number, item in enumerate(store_maintenance.contents(store).objects):
            spoil(store, item.sha256, [b"rotten", b"" if item.size else None, None][number % 3])
        assert len(store_maintenance.verify(store).damaged) > 2
        found = repair(store, [source], offline=True, progress=Silent())
        assert not found.damaged and not found.missing
        assert {item.sha256 for item in found.repaired} >= {digest_of(store, "output out.txt")}
        assert everything(store) == before
        assert {oct(path.stat().st_mode & 0o777) for path in store.objects.glob("*/*")} == {"0o444"}
        assert not list((store.root / "tmp").iterdir())


def test_without_a_bundle_it_comes_from_the_files_themselves_and_replays(frozen: Path) -> None:
    store = Store(frozen)
    before = everything(store)
    wanted = {what: digest_of(store, what) for what in ("file in.txt", "output out.txt", "standard output")}
    lists = [digest_of(store, "the list of files"), digest_of(store, "the list of outputs")]
    (frozen / "out.txt").write_text("changed since")
    run = store.root / "runs" / "one"
    (run / "outputs").mkdir(parents=True)
    (run / "outputs" / "out.txt").write_text("contentcontent")
    (run / "stdout").write_text("said\n")
    for digest in (*wanted.values(), *lists):
        spoil(store, digest)
    found = repair(store, progress=Silent())
    sources = {item.sha256: item.source for item in found.repaired}
    assert sources[wanted["file in.txt"]] == str(frozen / "in.txt")
    assert sources[wanted["output out.txt"]] == str(run / "outputs" / "out.txt")
    assert sources[wanted["standard output"]] == str(run / "stdout")
    assert {sources[digest] for digest in lists} == {"the lock itself"}
    assert everything(store) == before


def test_what_is_nowhere_is_named_as_lost_and_nothing_else_is_touched(frozen: Path) -> None:
    store = Store(frozen)
    lost = digest_of(store, "output out.txt")
    (frozen / "out.txt").write_text("changed since")
    spoil(store, lost, b"rotten")
    inodes = {path: path.stat().st_ino for path in store.objects.rglob("*/*")}

    def call(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            COMMAND, ["verify", *words, "--project", str(frozen)], standalone_mode=False
        )
        assert result.exception is None, result.exception
        return int(result.return_value or 0), result.stdout

    code, text = call()
    assert code == 1 and text == f"damaged  {lost[:12]}  envfreeze.lock: output out.txt\n"
    code, text = call("--repair", "--offline")
    assert code == 1 and text == f"lost      {lost[:12]}  envfreeze.lock: output out.txt\n"
    assert store.path(lost).read_bytes() == b"rotten", "what is left may still help somebody"
    assert {path: path.stat().st_ino for path in store.objects.rglob("*/*")} == inodes
    (frozen / "copy").mkdir()
    (frozen / ".envfreeze" / "runs" / "r" / "outputs").mkdir(parents=True)
    (frozen / ".envfreeze" / "runs" / "r" / "outputs" / "out.txt").write_text("contentcontent")
    code, text = call("--repair", "--offline", "--json")
    assert code == 0 and [item["sha256"] for item in json.loads(text)["repaired"]] == [lost]
    assert call() == (0, "")


def test_sources_that_are_none_are_refused(frozen: Path, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("PK no bundle")
    for path in (tmp_path, tmp_path / "text.zip"):
        with pytest.raises(InputError, match="no bundle and no frozen folder"):
            repair(Store(frozen), [path], progress=Silent())


def test_a_damaged_bundle_gives_what_is_whole_in_it(frozen: Path, template: Path, tmp_path: Path) -> None:
    unpacked = artifacts.unpack(template.parent / "paper.zip", tmp_path / "unpacked")[0]
    store = Store(frozen)
    good, bad = digest_of(store, "file in.txt"), digest_of(store, "file main.py")
    for name in ("main.py", "in.txt"):
        (frozen / name).unlink()
    (unpacked / "experiments" / "main" / "files" / "main.py").write_text("evil")
    spoil(store, good)
    spoil(store, bad)
    found = repair(store, [unpacked], offline=True, progress=Silent())
    assert [item.sha256 for item in found.repaired] == [good]
    assert found.damaged == (bad,)


def test_an_experiment_in_a_bundle_is_verified_with_the_bundles_own_content(
    template: Path, tmp_path: Path
) -> None:
    unpacked = artifacts.unpack(template.parent / "paper.zip", tmp_path / "unpacked")[0]
    experiment = unpacked / "experiments" / "main"
    store = Store(experiment)
    found = store_maintenance.verify(store)
    assert not found.missing and not found.damaged and found.count > 3
    (experiment / "files" / "in.txt").write_text("rotten")
    (digest,) = store_maintenance.verify(store).damaged
    assert repair(store, [template], offline=True, progress=Silent()).damaged == ()
    assert store.verified(digest, what="in.txt").read_text() == "content"
    assert (experiment / "files" / "in.txt").read_text() == "rotten", "the bundle's own files stay"


def test_damaged_tapes_come_back_from_a_copy_of_the_folder(template: Path, frozen: Path) -> None:
    (tapes,) = (path for path in (frozen / ".envfreeze" / "tapes").iterdir() if path.is_dir())
    before = {path.name: path.read_bytes() for path in tapes.iterdir()}
    for path in tapes.iterdir():
        path.write_bytes(b"rotten")
    store = Store(frozen)
    assert store_maintenance.verify(store).damaged_tapes == (tapes.name,)
    assert repair(store, progress=Silent()).damaged_tapes == (tapes.name,)
    found = repair(store, [template], progress=Silent())
    assert found.damaged_tapes == () and [item.sha256 for item in found.repaired] == [tapes.name]
    assert {path.name: path.read_bytes() for path in tapes.iterdir()} == before
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tapes.iterdir())


def test_wheels_come_from_the_index_when_it_has_them(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"a wheel"
    digest = hashlib.sha256(content).hexdigest()
    name = "thing-1-py3-none-any.whl"
    package = Package(name="thing", version="1", source="index", file=name, sha256=digest, vendored=True)
    lock = lockfile.read(frozen / "envfreeze.lock")
    lockfile.write(msgspec.structs.replace(lock, packages=(package,)), frozen / "envfreeze.lock")
    store = Store(frozen)
    assert [item.used_by for item in store_maintenance.verify(store).missing] == [
        ("envfreeze.lock: thing 1",)
    ]
    page = tmp_path / "index" / "thing"
    page.mkdir(parents=True)
    (page / name).write_bytes(b"another wheel")
    (page / "index.html").write_text(f'<!DOCTYPE html><a href="{name}#sha256={digest}">{name}</a>')
    with serving(tmp_path / "index") as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        assert repair(store, progress=Silent()).missing, "the index has another content by that name"
        (page / name).write_bytes(content)
        assert repair(store, offline=True, progress=Silent()).missing
        assert not repair(store, progress=Silent()).missing
    assert store.verified(digest, what="thing").read_bytes() == content


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A package index of plain files."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *arguments: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_freezing_again_replaces_what_is_rotten(frozen: Path, template: Path) -> None:
    store = Store(frozen)
    content = b"large enough" * 40_000
    (frozen / "big.bin").write_bytes(content)
    digest, _ = store.add_file(frozen / "big.bin")
    for rotten in (b"short", b"Large enough" * 40_000):
        spoil(store, digest, rotten)
        store.add_file(frozen / "big.bin")
        assert store.path(digest).read_bytes() == content
    text = store.add_bytes(b"text")
    spoil(store, text)
    store.add_bytes(b"text")
    assert store.path(text).read_bytes() == b"text"
    source = digest_of(store, "file in.txt")
    spoil(store, source, b"Content")
    (frozen / "in.txt").write_text("content")  # written anew, so that it is read
    command = [str(template.parent / "environment" / "bin" / "python"), "main.py"]
    workflow.freeze(command, project=frozen, directory=frozen, offline=True, dockerfile=False)
    assert store.path(source).read_bytes() == b"content"

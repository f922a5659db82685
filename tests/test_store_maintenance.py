"""Listing, verifying and pruning the store of a frozen folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from envfreeze import store_maintenance, workflow
from envfreeze.cli.store import COMMAND
from envfreeze.errors import InputError
from envfreeze.records import lockfile
from envfreeze.records.tapes import Tapes
from envfreeze.store import Store


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "main.py").write_text("open('out.txt', 'w').write(open('in.txt').read())\n")
    (folder / "in.txt").write_text("content")
    command = [sys.executable, "main.py"]
    workflow.freeze(command, project=folder, directory=folder, offline=True, vendor_limit=1, dockerfile=False)
    return folder


@pytest.fixture
def frozen(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "frozen"))


def entry(folder: Path, path: str) -> str:
    (found,) = (
        item.sha256
        for item in store_maintenance.contents(Store(folder)).objects
        if any(name.endswith(path) for name in item.used_by)
    )
    return found


def test_every_object_of_a_freeze_is_needed_by_something(frozen: Path) -> None:
    found = store_maintenance.contents(Store(frozen))
    assert found.count > 4
    assert all(item.used_by for item in found.objects)
    names = {name for item in found.objects for name in item.used_by}
    assert {"envfreeze.lock: file main.py", "envfreeze.lock: output out.txt"} <= names
    assert found.missing == ()


def test_pruning_removes_what_nothing_refers_to_and_no_more(frozen: Path) -> None:
    store = Store(frozen)
    before = store_maintenance.contents(store)
    junk = store.add_bytes(b"junk")
    assert [item.sha256 for item in store_maintenance.prune(store, dry_run=True).objects] == [junk]
    assert junk in store
    assert store_maintenance.prune(store).count == 1
    assert store_maintenance.contents(store) == before
    run = store.root / "runs" / "one"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"outputs": [store.add_bytes(b"junk")]}))
    assert store_maintenance.prune(store).count == 0


def test_damaged_and_missing_objects_are_found(frozen: Path) -> None:
    store = Store(frozen)
    assert store_maintenance.verify(store).damaged == ()
    bad, gone = entry(frozen, "file in.txt"), entry(frozen, "file main.py")
    store.path(bad).chmod(0o644)
    store.path(bad).write_bytes(b"Content")
    store.path(gone).unlink()
    found = store_maintenance.verify(store)
    assert found.damaged == (bad,)
    assert [item.sha256 for item in found.missing] == [gone]


def test_nothing_is_pruned_when_a_list_or_a_lock_is_unreadable(frozen: Path) -> None:
    store = Store(frozen)
    store.add_bytes(b"junk")
    count = store_maintenance.contents(store).count
    lock = (frozen / "envfreeze.lock").read_text()
    (frozen / "poetry.lock").write_text("another tool's\n")
    (frozen / "second.lock").write_text(lock.replace("envfreeze_lock: 1", "envfreeze_lock: 99"))
    with pytest.raises(InputError, match=r"second\.lock"):
        store_maintenance.prune(store)
    (frozen / "second.lock").unlink()
    (frozen / "envfreeze.lock").unlink()
    with pytest.raises(InputError):
        store_maintenance.prune(store)
    assert store_maintenance.contents(store).count == count


def taped(folder: Path, name: str, values: list[bytes]) -> str:
    """Tapes with these files, and a lock that plays them, if it has a name; returns their manifest."""
    store = Store(folder)
    files = [(f"{number:016x}.tape", value) for number, value in enumerate(values)]
    manifest = json.dumps(
        [
            {"file": file, "sha256": hashlib.sha256(value).hexdigest(), "size": len(value), "streams": 1}
            for file, value in files
        ]
    ).encode()
    digest = hashlib.sha256(manifest).hexdigest()
    place = store.root / "tapes" / digest
    place.mkdir(parents=True)
    (place / "manifest.json").write_bytes(manifest)
    for file, value in files:
        (place / file).write_bytes(value)
    if name:
        lock = lockfile.read(folder / "envfreeze.lock")
        tapes = Tapes(manifest=digest, size=sum(map(len, values)))
        run = msgspec.structs.replace(lock.run, tapes=tapes)
        lockfile.write(msgspec.structs.replace(lock, run=run), folder / name)
    return digest


def test_tapes_are_listed_verified_and_pruned(frozen: Path) -> None:
    store = Store(frozen)
    shutil.rmtree(store.root / "tapes", ignore_errors=True)
    needed = taped(frozen, "envfreeze.lock", [b"a" * 100, b"b" * 200])
    older = taped(frozen, "", [b"c" * 1000])
    found = store_maintenance.verify(store)
    assert {item.manifest: item.used_by for item in found.tapes} == {needed: ("envfreeze.lock",), older: ()}
    assert found.damaged_tapes == ()
    assert all(item.size > 300 for item in found.tapes)

    (store.root / "tapes" / needed / f"{0:016x}.tape").write_bytes(b"x" * 100)
    assert store_maintenance.verify(store).damaged_tapes == (needed,)

    assert [item.manifest for item in store_maintenance.prune(store, dry_run=True).tapes] == [older]
    assert (store.root / "tapes" / older).exists()
    store_maintenance.prune(store)
    assert [path.name for path in (store.root / "tapes").iterdir() if path.is_dir()] == [needed]

    # Tapes are private: a clone has none, and its store is whole all the same.
    shutil.rmtree(store.root / "tapes")
    found = store_maintenance.verify(store)
    assert found.tapes == found.missing == found.damaged_tapes == ()


def test_the_commands(frozen: Path) -> None:
    def call(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(COMMAND, [*words, "--project", str(frozen)], standalone_mode=False)
        return int(result.return_value or 0), result.stdout

    manifest = taped(frozen, "envfreeze.lock", [b"a" * 5000])
    code, text = call("list", "--json")
    assert code == 0 and json.loads(text)["count"] > 4
    code, text = call("list")
    assert "envfreeze.lock: file main.py" in text
    assert f"{manifest[:12]}" in text and "tapes: envfreeze.lock" in text
    assert call("verify")[0] == 0
    digest = entry(frozen, "file in.txt")
    Store(frozen).path(digest).unlink()
    code, text = call("verify")
    assert code == 1 and f"missing  {digest[:12]}  envfreeze.lock: file in.txt" in text
    code, text = call("prune", "--dry-run", "--json")
    assert code == 0 and json.loads(text)["count"] == 0

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envfreeze.engines._workspace import Workspace, collect, lay_out, scan
from envfreeze.errors import InputError
from envfreeze.records.files import FileEntry
from envfreeze.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "here")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws/project", tmp_path / "ws/outside")


def entry(store: Store, path: str, data: bytes, *, executable: bool = False) -> FileEntry:
    return FileEntry(path=path, size=len(data), sha256=store.add_bytes(data), executable=executable)


def test_files_get_their_content_and_the_right_to_run(store: Store, workspace: Workspace) -> None:
    entries = [
        entry(store, "run.sh", b"#!/bin/sh\n", executable=True),
        entry(store, "data/deep/x.bin", bytes(range(256)) * 10),
        entry(store, "/srv/shared/table.csv", b"a,b\n"),
        entry(store, os.fsdecode(b"latin-\xe9.txt"), b"odd name"),
        FileEntry(path="latest", link="data/deep"),
    ]
    lay_out(entries, workspace, store)
    assert os.access(workspace.project / "run.sh", os.X_OK)
    assert not os.access(workspace.project / "data/deep/x.bin", os.X_OK)
    assert (workspace.project / "latest/x.bin").read_bytes() == bytes(range(256)) * 10
    assert (workspace.outside / "srv/shared/table.csv").read_bytes() == b"a,b\n"
    assert (workspace.project / os.fsdecode(b"latin-\xe9.txt")).read_bytes() == b"odd name"


def test_changing_a_laid_out_file_leaves_the_store_alone(store: Store, workspace: Workspace) -> None:
    recorded = entry(store, "x", b"before")
    lay_out([recorded], workspace, store)
    (workspace.project / "x").write_bytes(b"after!")
    assert recorded.sha256 and store.verified(recorded.sha256, what="x").read_bytes() == b"before"


def test_a_damaged_or_missing_content_is_refused(store: Store, workspace: Workspace) -> None:
    recorded = entry(store, "model.bin", b"weights")
    assert recorded.sha256
    path = store.path(recorded.sha256)
    path.chmod(0o644)
    path.write_bytes(b"other!!")
    with pytest.raises(InputError, match=r"model\.bin is damaged in the store"):
        lay_out([recorded], workspace, store)
    assert not (workspace.project / "model.bin").exists()
    path.unlink()
    with pytest.raises(InputError, match=r"model\.bin is missing from the store"):
        lay_out([recorded], workspace, store)


@pytest.mark.parametrize(
    "paths",
    [("a", "a/b"), ("a/b", "a")],
)
def test_entries_in_each_others_way_are_refused(
    store: Store, workspace: Workspace, paths: tuple[str, str]
) -> None:
    with pytest.raises(InputError, match="in its way"):
        lay_out([entry(store, path, b"x") for path in paths], workspace, store)


@pytest.mark.parametrize("target", ["/", "..", "../../here"])
def test_no_link_leads_a_file_out_of_the_workspace(store: Store, workspace: Workspace, target: str) -> None:
    hostile = [FileEntry(path="door", link=target), entry(store, "door/planted.txt", b"x")]
    with pytest.raises(InputError, match="in its way"):
        lay_out(hostile, workspace, store)
    hostile = [FileEntry(path="door", link=target), FileEntry(path="door/planted.txt", link="x")]
    with pytest.raises(InputError, match="in its way"):
        lay_out(hostile, Workspace(workspace.project / "2", workspace.outside / "2"), store)
    planted = [path for path in workspace.project.parent.parent.rglob("planted.txt") if path.is_symlink()]
    assert planted == []


def test_what_is_new_or_written_is_collected(store: Store, workspace: Workspace, tmp_path: Path) -> None:
    lay_out([entry(store, "kept", b"1"), entry(store, "changed", b"1")], workspace, store)
    before = scan(workspace)
    (workspace.project / "changed").write_bytes(b"2")
    (workspace.project / "new/deep").mkdir(parents=True)
    (workspace.project / "new/deep/result.json").write_bytes(b"{}")
    (workspace.project / "__pycache__").mkdir()
    (workspace.project / "__pycache__/x.pyc").write_bytes(b"cache")
    (workspace.project / "link").symlink_to("/etc")
    os.mkfifo(workspace.project / "pipe")
    for path in ("data/out.csv", "tmp/scratch"):
        (workspace.outside / path).parent.mkdir(parents=True)
        (workspace.outside / path).write_bytes(b"3")
    collect(workspace, before, tmp_path / "outputs", outside=["/data"])
    found = {str(path.relative_to(tmp_path / "outputs")) for path in (tmp_path / "outputs").rglob("*")}
    assert {path for path in found if (tmp_path / "outputs" / path).is_file()} == {
        "changed",
        "new/deep/result.json",
        "@root/data/out.csv",
    }
    assert (tmp_path / "outputs/link").readlink() == Path("/etc")


def test_outputs_in_a_folder_that_was_closed_are_collected(
    store: Store, workspace: Workspace, tmp_path: Path
) -> None:
    lay_out([], workspace, store)
    before = scan(workspace)
    (workspace.project / "closed").mkdir()
    (workspace.project / "closed/x").write_bytes(b"1")
    (workspace.project / "closed/x").chmod(0)
    (workspace.project / "closed").chmod(0)
    collect(workspace, before, tmp_path / "outputs")
    assert (tmp_path / "outputs/closed/x").read_bytes() == b"1"
    assert (tmp_path / "outputs/closed/x").stat().st_mode & 0o600 == 0o600

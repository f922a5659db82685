"""Many files into the store: whole, once each, and not read again without need."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from envfreeze import snapshot
from envfreeze.snapshot import UNREADABLE, UNSTABLE, Missed, Taken, take
from envfreeze.store import Store


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def aged(path: Path) -> None:
    """Wait until a file is old enough for its digest to be remembered."""
    while time.time_ns() - path.stat().st_ctime_ns < snapshot._FRESH:
        time.sleep(0.01)


def objects(store: Store) -> set[str]:
    return {path.parent.name + path.name for path in store.objects.glob("*/*")}


def test_each_content_is_kept_once_in_the_order_that_was_asked(tmp_path: Path) -> None:
    store = Store(tmp_path / "project")
    large = os.urandom(3 << 20)
    contents = {"a": b"one", "b": b"one", "c": large, "d": large, "e": b""}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "e").chmod(0o755)
    found = take([str(tmp_path / name) for name in (*contents, "gone")], store)
    assert found == [
        *(Taken(digest(data), len(data), name == "e") for name, data in contents.items()),
        UNREADABLE,
    ]
    assert objects(store) == {digest(data) for data in contents.values()}
    assert all(digest(store.path(name).read_bytes()) == name for name in objects(store))
    assert list((store.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("way", ["share_blocks", "_copy_in_kernel"])
def test_file_systems_that_cannot_help_get_a_plain_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    for name in ("share_blocks", "_copy_in_kernel"):
        if name == way or way == "_copy_in_kernel":
            monkeypatch.setattr(snapshot, name, lambda *arguments: False)
    data = os.urandom(2 << 20)
    (tmp_path / "x").write_bytes(data)
    store = Store(tmp_path / "project")
    (found,) = take([str(tmp_path / "x")], store)
    assert isinstance(found, Taken)
    assert store.path(found.digest).read_bytes() == data


def test_an_unchanged_file_is_not_read_again_and_a_changed_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, path = Store(tmp_path / "project"), tmp_path / "x"
    path.write_bytes(b"first")
    aged(path)
    assert take([str(path)], store) == [Taken(digest(b"first"), 5, False)]

    def forbidden(*arguments: object) -> None:
        raise AssertionError("it was read again")

    with monkeypatch.context() as patch:
        patch.setattr(snapshot._Taking, "_read", forbidden)
        assert take([str(path)], store) == [Taken(digest(b"first"), 5, False)]
    before = path.stat()
    path.write_bytes(b"other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert take([str(path)], store) == [Taken(digest(b"other"), 5, False)]


def test_a_known_file_whose_object_is_gone_is_stored_again(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "project"), tmp_path / "x"
    path.write_bytes(b"first")
    aged(path)
    take([str(path)], store)
    store.path(digest(b"first")).unlink()
    take([str(path)], store)
    assert objects(store) == {digest(b"first")}


def test_a_damaged_list_of_digests_is_ignored(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "project"), tmp_path / "x"
    path.write_bytes(b"first")
    store.create()
    (store.root / "digests").write_bytes(b"\xc1garbage")
    assert take([str(path)], store) == [Taken(digest(b"first"), 5, False)]


def test_a_file_that_changes_while_it_is_read_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, path = Store(tmp_path / "project"), tmp_path / "x"
    path.write_bytes(b"0")
    read = snapshot._chunks
    times = [2]

    def changing(source: int):  # type: ignore[no-untyped-def]
        yield from read(source)
        if times[0]:
            times[0] -= 1
            path.write_bytes(b"x" * (times[0] + 5))

    monkeypatch.setattr(snapshot, "_chunks", changing)
    assert take([str(path)], store) == [UNSTABLE]
    times[0] = 1
    assert isinstance(take([str(path)], store)[0], Taken)


def test_what_is_not_to_be_kept_is_hashed_only(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "project"), tmp_path / "x"
    path.write_bytes(bytes(1 << 20))
    (found,) = take([str(path)], store, kept=lambda path, size: False)
    assert found == Taken(digest(bytes(1 << 20)), 1 << 20, False)
    assert objects(store) == set()


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, path = Store(tmp_path / "project"), tmp_path / "x"
    path.write_bytes(b"first")

    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot, "_write_all", full)
    with pytest.raises(OSError, match="No space left"):
        take([str(path)], store)
    assert list((store.root / "tmp").iterdir()) == []
    assert objects(store) == set()


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (found,) = take([str(tmp_path / "pipe")], Store(tmp_path / "project"))
    assert isinstance(found, Missed)

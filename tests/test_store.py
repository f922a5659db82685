"""The store: content by digest, whole or not there."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from envfreeze.errors import InputError
from envfreeze.records.files import FileEntry
from envfreeze.store import INLINE_ENTRIES, Store


def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.add_bytes(b"content")
    again, size = store.add_stream(io.BytesIO(b"content"))
    assert first == again == hashlib.sha256(b"content").hexdigest()
    assert size == 7
    assert sum(path.is_file() for path in store.objects.rglob("*")) == 1
    assert list((store.root / "tmp").iterdir()) == []


def test_a_damaged_object_is_noticed_and_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digest = store.add_bytes(b"content")
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(b"Content")
    with pytest.raises(InputError, match=r"train\.py is damaged"):
        store.verified(digest, what="train.py")


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.py is missing"):
        Store(tmp_path).verified("0" * 64, what="train.py")


class Broken(io.RawIOBase):
    """Yields a little and then fails, as a full disk or a vanished network file system does."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, size: int = -1) -> bytes:
        self.reads += 1
        if self.reads > 1:
            raise OSError(28, "No space left on device")
        return b"some"


def test_a_failure_while_storing_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        store.add_stream(Broken())
    assert list((store.root / "tmp").iterdir()) == []
    assert list(store.objects.rglob("*")) == []


def test_a_long_list_of_files_goes_to_the_store_and_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    entries = tuple(
        FileEntry(path=f"{number:05}", size=1, sha256="0" * 64) for number in range(INLINE_ENTRIES + 1)
    )
    files = store.add_set(reversed(entries))
    assert files.entries == ()
    assert files.count == files.size == len(entries)
    assert store.entries(files, what="recorded files") == entries


def test_a_short_list_is_written_out_and_a_strange_name_survives(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plain = FileEntry(path="a", sha256="0" * 64)
    assert store.add_set([plain]).entries == (plain,)
    strange = FileEntry(path="caf\udce9", sha256="0" * 64)
    files = store.add_set([plain, strange])
    assert files.entries == ()
    assert store.entries(files, what="files") == (plain, strange)


def _hold(root: Path) -> None:
    with Store(root).locked("freeze"):
        (root / "held").touch()
        time.sleep(0.5)


def test_a_second_process_waits_and_says_who_holds_the_lock(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(tmp_path,))
    process.start()
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    said: list[str] = []
    with Store(tmp_path).locked("freeze", on_wait=said.append):
        assert process.exitcode is not None or not process.is_alive() or said
    process.join()
    assert said == [f"waiting for envfreeze freeze (process {process.pid}), which is at work in {tmp_path}"]


def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_does_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.temporary() as own:
        process = multiprocessing.get_context("spawn").Process(target=_leave, args=(tmp_path,))
        process.start()
        process.join()
        assert len(list((store.root / "tmp").iterdir())) == 3
        with store.temporary() as another:
            assert set((store.root / "tmp").iterdir()) == {own, another}


def _leave(root: Path) -> None:
    """Die as by a kill, in the middle of two things."""
    store = Store(root)
    unfinished = store.temporary()
    folder = unfinished.__enter__()
    (folder / "half").write_text("half")
    incoming = store._incoming()
    incoming.__enter__().write(b"half")
    os._exit(9)

"""The lockfile: stable when written, suspicious when read."""

from __future__ import annotations

import errno
from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml

from envfreeze.errors import InputError
from envfreeze.records import lockfile, schema
from envfreeze.records.environment import Cpu, Interpreter, Package
from envfreeze.records.files import FileEntry, FileSet, Gap, StreamEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation

DIGEST = "0" * 64


def sample(**changes: object) -> Lock:
    stream = StreamEntry(size=3, sha256=DIGEST)
    lock = Lock(
        envfreeze_lock=1,
        run=Observation(
            command=("python", "train.py", "--name", "ä\n'\"$(rm)"),
            directory="/home/someone/project",
            project="/home/someone/project",
            stdout=stream,
            stderr=stream,
            environment={"OMP_NUM_THREADS": "1", "PYTHONPATH": ": - {"},
            files=FileSet(count=1, entries=(FileEntry(path="train.py", size=3, sha256=DIGEST),)),
        ),
        interpreter=Interpreter(implementation="CPython", version="3.10"),
        packages=(Package(name="numpy", version="1.10", source="index", sha256=DIGEST),),
        cpu=Cpu(features=("avx2", "fma")),
        gaps=(Gap(what="stdin", why="it was a pipe"),),
    )
    return msgspec.structs.replace(lock, **changes)


def test_reads_back_what_it_wrote_and_writes_the_same_bytes_again() -> None:
    data = lockfile.dumps(sample())
    assert lockfile.loads(data) == sample()
    assert lockfile.dumps(lockfile.loads(data)) == data


def test_a_file_is_one_line_so_that_a_pull_request_shows_what_changed() -> None:
    assert f"- {{path: train.py, size: 3, sha256: '{DIGEST}'}}" in lockfile.dumps(sample()).decode()


def test_version_numbers_stay_text() -> None:
    content = yaml.safe_load(lockfile.dumps(sample()))
    assert content["interpreter"]["version"] == "3.10"
    assert content["packages"][0]["version"] == "1.10"


def test_the_command_in_the_header_cannot_leave_its_comment() -> None:
    lines = lockfile.dumps(sample()).decode().splitlines()
    assert lines[0].startswith("# Made by: envfreeze freeze -- python train.py")
    assert lines[1].startswith("# Commit")


def test_the_shipped_schema_accepts_the_lock() -> None:
    jsonschema.validate(yaml.safe_load(lockfile.dumps(sample())), schema.schema("lock"))


def test_the_shipped_schema_refuses_an_unknown_field() -> None:
    content = yaml.safe_load(lockfile.dumps(sample())) | {"surprise": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema.schema("lock"))


GOOD = lockfile.dumps(sample()).decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an envfreeze lock"),
        (b"\xff\xfe\x00", "line 1: not UTF-8"),
        (b"hello", "not an envfreeze lock"),
        (b"- 1\n- 2\n", "not an envfreeze lock"),
        (GOOD[: len(GOOD) // 2].encode(), "lock line"),
        (GOOD.replace("envfreeze_lock: 1", "envfreeze_lock: 99").encode(), "written by a newer envfreeze"),
        (GOOD.replace("envfreeze_lock: 1", "envfreeze_lock: true").encode(), "not an envfreeze lock"),
        (GOOD.replace("count: 1", "count: many").encode(), "run.files.count: expected `int`"),
        (GOOD.replace(DIGEST, "xyz", 1).encode(), "expected `str` matching regex"),
        (GOOD.replace("path: train.py", "path: ../../etc/passwd").encode(), "not a plain path"),
        (GOOD.replace("path: train.py", "path: a//b").encode(), "not a plain path"),
        ((GOOD + "surprise: 1\n").encode(), "unknown field `surprise`"),
        ((GOOD + "envfreeze_lock: 1\n").encode(), "'envfreeze_lock' is written twice"),
        ((GOOD + "gaps: !!python/object/apply:os.system [id]\n").encode(), "the tag"),
        ((GOOD + "x: &a [1]\ny: [*a, *a]\n").encode(), "anchors and aliases"),
        ((GOOD + "x: " + "[" * 5000 + "]" * 5000).encode(), "nested deeper"),
        ((GOOD + "x: " + "{a: " * 100 + "}" * 100).encode(), "nested deeper"),
        ((GOOD + "? {a: 1}\n: 2\n").encode(), "a key must be a plain word"),
        ((GOOD + "x: \0").encode(), "not readable as YAML"),
    ],
)
def test_a_bad_lock_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        lockfile.loads(data)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_sentence_names_the_line_of_the_field() -> None:
    broken = GOOD.replace("count: 1", "count: many")
    line = broken.splitlines().index("    count: many") + 1
    with pytest.raises(InputError, match=rf"^envfreeze\.lock line {line}, run\.files\.count: "):
        lockfile.loads(broken.encode())


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
    with pytest.raises(InputError, match="anchors and aliases"):
        lockfile.loads(bomb.encode())


def test_a_missing_lock_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no") as caught:
        lockfile.read(tmp_path / "envfreeze.lock")
    assert "envfreeze freeze" in str(caught.value.hint)


def test_a_write_that_fails_leaves_the_old_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "envfreeze.lock"
    lockfile.write(sample(), path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        lockfile.write(sample(gaps=()), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["envfreeze.lock"]

"""kill -9 before any change of the disk: the lock, the store, the bundle and what was unpacked stay whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze import artifacts
from envfreeze.records import lockfile
from envfreeze.store import Store
from envfreeze.store_maintenance import verify

# Counts what changes the disk and ends its own process before change AT: no point depends on speed.
DRIVER = """\
import os, runpy, signal, sys, threading
at, report = int(sys.argv[1]), sys.argv[2]
sys.argv[1:] = sys.argv[3:]
count, lock, me = 0, threading.Lock(), os.getpid()
CHANGES = {"os." + name for name in "rename mkdir remove rmdir link symlink truncate chmod".split()}
def hook(event, arguments):
    global count
    if os.getpid() != me:
        return
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in CHANGES:
        with lock:
            count += 1
            if count == at:
                os.kill(me, signal.SIGKILL)
sys.addaudithook(hook)
try:
    runpy.run_module("envfreeze", run_name="__main__")
finally:
    at = 0
    total = count
    open(report, "w").write(str(total))
"""
KILLS = pytest.mark.parametrize(
    "kills", [6, pytest.param(5000, marks=[pytest.mark.slow, pytest.mark.timeout(7200)], id="every")]
)
TRAIN = "open('result.txt', 'w').write('1')\nprint(2)\n"


def envfreeze(project: Path, *words: str, at: int = 0) -> tuple[int, int]:
    """The exit status, and how often the disk was changed."""
    report = project.parent / "changes"
    command = [sys.executable, "-B", "-c", DRIVER, str(at), str(report), *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, 0 if at else int(report.read_text())


def points(changes: int, kills: int) -> list[int]:
    """Spread over the whole command, its first and its last change among them."""
    assert changes > 1
    return sorted({1 + round(step * (changes - 1) / (kills - 1)) for step in range(kills)})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    return folder


def freeze(project: Path) -> tuple[str, ...]:
    python = str(project.parent / "venv" / "bin" / "python")
    return ("freeze", "-q", "--offline", "--", python, "train.py")


@KILLS
def test_freeze_leaves_a_whole_lock_and_every_original(project: Path, kills: int) -> None:
    assert envfreeze(project, *freeze(project))[0] == 0
    status, changes = envfreeze(project, *freeze(project))  # over what is there already
    assert status == 0
    statuses = []
    for at in points(changes, kills):
        statuses.append(envfreeze(project, *freeze(project), at=at)[0])
        assert statuses[-1] in (-9, 0), f"change {at} of {changes}"
        lock = lockfile.read(project / lockfile.NAME)
        assert lock.run is not None
        assert not verify(Store(project)).damaged, f"change {at} of {changes}"
        assert Store(project).entries(lock.run.files, what="files"), "the lock's content is there"
        assert (project / "train.py").read_text() == TRAIN
    assert statuses.count(-9) > len(statuses) / 2
    assert envfreeze(project, *freeze(project))[0] == 0
    kept = verify(Store(project))
    assert not kept.damaged and not kept.missing


@KILLS
def test_pack_and_unpack_leave_all_or_nothing(project: Path, kills: int) -> None:
    assert envfreeze(project, *freeze(project))[0] == 0
    lock = (project / lockfile.NAME).read_bytes()
    status, changes = envfreeze(project, "pack", "-o", "../a.zip")
    assert status == 0
    bundle, whole = project.parent / "a.zip", (project.parent / "a.zip").read_bytes()
    for at in points(changes, kills):
        bundle.unlink(missing_ok=True)
        assert envfreeze(project, "pack", "-o", "../a.zip", at=at)[0] == -9
        assert not bundle.exists() or bundle.read_bytes() == whole, f"change {at} of {changes}"
        assert (project / lockfile.NAME).read_bytes() == lock
    assert envfreeze(project, "pack", "-o", "../a.zip")[0] == 0
    assert bundle.read_bytes() == whole

    place = project.parent / "a"
    status, changes = envfreeze(project.parent, "unpack", "a.zip")
    assert status == 0
    members = {path.relative_to(place): path.is_file() and path.read_bytes() for path in place.rglob("*")}
    for at in points(changes, kills):
        shutil.rmtree(place, ignore_errors=True)
        assert envfreeze(project.parent, "unpack", "a.zip", at=at)[0] == -9
        if place.exists():
            found = {
                path.relative_to(place): path.is_file() and path.read_bytes() for path in place.rglob("*")
            }
            assert found == members, f"change {at} of {changes}"
    shutil.rmtree(place, ignore_errors=True)
    artifacts.unpack(bundle, place)
    assert bundle.read_bytes() == whole

"""Ctrl-C, signals, a Docker engine that goes away, and two at once: nothing half-done is left."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import psutil
import pytest

from envfreeze.records import lockfile
from envfreeze.records.lock import Lock

from ._hostile import (
    Index,
    Proxy,
    change,
    copied,
    engine_socket,
    freeze_project,
    started,
    traces,
    with_package,
)
from .conftest import ENGINES, run

ENDED = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory, bare_environment: Path) -> Path:
    return freeze_project(tmp_path_factory.mktemp("interrupted") / "project", bare_environment)


@pytest.fixture
def project(frozen: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of a frozen project, which nothing may still be at work in afterwards."""
    folder = copied(frozen, tmp_path / "project")
    yield folder
    assert processes_of(folder) == []


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that name the folder, or work in it; they get a moment to end."""
    deadline = time.monotonic() + 5
    while True:
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "status"]):
            words = " ".join(process.info["cmdline"] or ())
            inside = (process.info["cwd"] or "").startswith(f"{folder}/") or process.info["cwd"] == str(
                folder
            )
            if process.info["status"] != psutil.STATUS_ZOMBIE and (str(folder) in words or inside):
                found.append(words)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


# freeze

PATIENT = """\
import sys, time
try:
    print("begun", flush=True)
    for _ in range(6000):
        time.sleep(0.1)  # in steps, as a signal just before a long sleep is only noticed after it
except KeyboardInterrupt:
    open("saved.txt", "w").write("state")
    print("saved", flush=True)
    sys.exit({status})
"""


@pytest.mark.parametrize("status", [0, 3])
def test_ctrl_c_in_a_terminal_is_for_the_command(project: Path, bare_environment: Path, status: int) -> None:
    """A training that saves itself on Ctrl-C does so, and the lock tells how it ended."""
    (project / "patient.py").write_text(PATIENT.format(status=status))
    env = os.environ | {"PATH": f"{bare_environment}:{os.environ['PATH']}"}
    arguments = ["-m", "envfreeze", "freeze", "--offline", "--", "python", "patient.py"]
    child = pexpect.spawn(sys.executable, arguments, cwd=project, env=env, encoding="utf-8", timeout=60)
    child.expect("begun")
    child.sendintr()
    child.expect("saved")
    child.expect(pexpect.EOF)
    assert "Traceback" not in child.before
    child.close()
    assert child.exitstatus == status
    lock = lockfile.read(project / "envfreeze.lock")
    assert lock.run is not None
    assert lock.run.exit_status == status
    assert lock.run.command == ("python", "patient.py")
    assert "saved.txt" in [entry.path for entry in lock.run.outputs.entries]
    assert traces(project) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_the_lock_says_so(
    project: Path, bare_environment: Path, number: signal.Signals
) -> None:
    (project / "seconds.txt").write_text("600")
    arguments = ("freeze", "--offline", "--", "sh", "-c", "python hold.py")
    with started(*arguments, cwd=project, path=[bare_environment]) as freeze:
        freeze.until(lambda: "begun" in freeze.words)
        os.kill(freeze.process.pid, number)
        # Python ends an interrupted script with a traceback of its own, which passes through.
        status = freeze.process.wait(30)
    assert status == ENDED[number]
    assert f"the command failed (exit status {status})" in freeze.words
    lock = lockfile.read(project / "envfreeze.lock")
    assert lock.run is not None and lock.run.exit_status == status
    assert traces(project) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_the_environment_is_inspected(project: Path, tmp_path: Path, number: signal.Signals) -> None:
    before = (project / "envfreeze.lock").read_bytes()
    slow = tmp_path / "slow-python"
    slow.write_text(f"#!/bin/sh\n: > {tmp_path}/asked\nexec sleep 600\n")
    slow.chmod(0o755)
    with started("freeze", "--offline", "--python", slow, cwd=project) as freeze:
        freeze.until((tmp_path / "asked").exists)
        assert freeze.end(number) == ENDED[number]
    assert "nothing half-done was kept" in freeze.words
    assert (project / "envfreeze.lock").read_bytes() == before
    assert traces(project) == []
    assert processes_of(slow) == []


def test_two_freezes_in_one_folder_come_one_after_the_other(project: Path, bare_environment: Path) -> None:
    wait = (
        "import os, sys, time\nprint('begun', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.02)\n"
    )
    (project / "wait.py").write_text(wait + "print(sys.argv[1])\n")
    arguments = ("freeze", "--offline", "--", "python", "wait.py")
    with started(*arguments, "first", cwd=project, path=[bare_environment]) as first:
        first.until(lambda: "begun" in first.words)
        with (
            started(*arguments, "second", cwd=project, path=[bare_environment]) as second,
            started(*arguments, "third", cwd=project, path=[bare_environment]) as third,
        ):
            held = f"waiting for envfreeze freeze (process {first.process.pid})"
            second.until(lambda: held in second.words)
            third.until(lambda: held in third.words)
            assert third.end() == 130, "waiting can be given up"
            assert "begun" not in second.words
            (project / "go").write_text("")
            assert first.end(None) == 0
            assert second.end(None) == 0
    lock = lockfile.read(project / "envfreeze.lock")
    assert lock.run is not None and lock.run.command[-1] == "second"
    assert traces(project) == []


# build


def test_while_the_local_engine_installs(project: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = (project / "envfreeze.lock").read_bytes()
    index = Index()
    index.page = '<a href="nowhere-1-py3-none-any.whl">nowhere-1-py3-none-any.whl</a>'
    change(project, with_package(file="nowhere-1-py3-none-any.whl", index=index.url))
    before = (project / "envfreeze.lock").read_bytes()
    env = {"TMPDIR": str(scratch)}
    with started("build", "--engine", "local", cwd=project, env=env) as build:
        build.until(index.asked_for_file.is_set)
        assert build.end() == 130
    index.close()
    assert traces(project) == []
    assert list(scratch.iterdir()) == []
    assert processes_of(scratch) == []
    assert (project / "envfreeze.lock").read_bytes() == before


NO_INDEX = "http://192.0.2.1/simple/"
"""TEST-NET-1 (RFC 5737): nobody answers there, so an installer keeps trying."""


def never_installed() -> Callable[[Lock], Lock]:
    """A package that is wanted by no other build: BuildKit joins equal steps of builds that run side by side,
    and Docker 20.10 panics when one of them is then cancelled (moby/moby issue 42414).
    """
    version = f"1.{time.time_ns()}"
    return with_package(version=version, file=f"nowhere-{version}-py3-none-any.whl", index=NO_INDEX)


def images_of(project: Path) -> list[str]:
    """Images of the lock's environment."""
    import docker

    from envfreeze.recipe import recipe_of

    identity = recipe_of(lockfile.read(project / "envfreeze.lock")).environment_id
    client = docker.from_env()
    found = [tag for image in client.images.list("envfreeze") for tag in image.tags]
    client.close()
    return [tag for tag in found if identity[:16] in tag]


def made_for(pid: int) -> list[str]:
    """Containers and volumes that a process made."""
    import docker

    client = docker.from_env()
    label = {"label": "envfreeze.owner"}
    things = [*client.containers.list(all=True, filters=label), *client.volumes.list(filters=label)]
    labels = [(thing, thing.attrs.get("Labels") or thing.attrs["Config"]["Labels"]) for thing in things]
    client.close()
    return [thing.id for thing, names in labels if f":{pid}:" in names["envfreeze.owner"]]


@pytest.mark.engine
def test_while_an_image_is_built(project: Path) -> None:
    change(project, never_installed())
    with started("build", "--engine", "docker", "-v", cwd=project) as build:
        build.until(lambda: re.search(r"RUN .*(--mount|pip install)", build.words))
        assert build.end() == 130
    assert "nothing half-done was kept" in build.words
    assert images_of(project) == []
    assert traces(project) == []


@pytest.mark.engine
def test_an_engine_that_stops_while_an_image_is_built(project: Path, tmp_path: Path) -> None:
    change(project, never_installed())
    proxy = Proxy(tmp_path / "docker.sock", engine_socket())
    env = {"DOCKER_HOST": proxy.host}
    with started("build", "--engine", "docker", "-v", cwd=project, env=env) as build:
        build.until(lambda: re.search(r"RUN .*(--mount|pip install)", build.words))
        proxy.cut()
        assert build.end(None, seconds=60) == 3
    assert "envfreeze: the Docker engine went away during the build." in build.words
    assert images_of(project) == []
    assert traces(project) == []
    again = run("build", "--engine", "docker", cwd=project, env=env)
    assert again.returncode == 3
    assert "there is no Docker engine" in again.stderr


# replay


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("engine", ENGINES)
def test_while_the_command_is_replayed(project: Path, engine: str, number: signal.Signals) -> None:
    (project / "seconds.txt").write_text("600")
    before = (project / "envfreeze.lock").read_bytes()
    with started("replay", "--engine", engine, "--code", ".", "-v", cwd=project) as replay:
        replay.until(lambda: "begun" in replay.words)
        assert replay.end(number) == ENDED[number]
    assert "nothing half-done was kept" in replay.words
    assert [trace for trace in traces(project) if trace.startswith(("tmp", "runs"))] == []
    assert (project / "envfreeze.lock").read_bytes() == before
    if engine == "docker":
        assert made_for(replay.process.pid) == []


@pytest.mark.engine
def test_an_engine_that_stops_during_a_replay(project: Path, tmp_path: Path) -> None:
    (project / "seconds.txt").write_text("600")
    proxy = Proxy(tmp_path / "docker.sock", engine_socket())
    env = {"DOCKER_HOST": proxy.host}
    with started("replay", "--engine", "docker", "--code", ".", "-v", cwd=project, env=env) as replay:
        replay.until(lambda: "begun" in replay.words)
        proxy.cut()
        assert replay.end(None, seconds=60) == 3
    assert "envfreeze: the Docker engine went away during the run." in replay.words
    assert traces(project) == []
    assert len(made_for(replay.process.pid)) > 0, "nobody could remove these"
    (project / "seconds.txt").write_text("0")
    assert run("replay", "--engine", "docker", "--code", ".", cwd=project).returncode == 0
    assert made_for(replay.process.pid) == [], "the next replay tidies up"


# compare


def test_while_large_outputs_are_compared(project: Path) -> None:
    """Two files of zeros that take minutes to read: Ctrl-C does not wait for that."""
    for side in ("one", "two"):
        (project / side).mkdir()
        for name in ("a.bin", "b.bin"):
            with (project / side / name).open("wb") as stream:
                stream.truncate(1 << 40)
    with started("diff", "one", "two", cwd=project) as diff:
        opened = Path("/proc", str(diff.process.pid), "fd")
        diff.until(lambda: any("a.bin" in os.readlink(fd) for fd in opened.iterdir() if fd.is_symlink()))
        began = time.monotonic()
        assert diff.end(seconds=60) == 130
        assert time.monotonic() - began < 30
    assert diff.words.strip() == "envfreeze: interrupted; nothing half-done was kept."


def test_the_interruption_of_a_json_command_is_one_object_too(project: Path) -> None:
    import json

    (project / "seconds.txt").write_text("600")
    arguments = ("replay", "--engine", "local", "--code", ".", "-q", "--json")
    with started(*arguments, cwd=project) as replay:
        replay.until(lambda: any("hold.py" in words and "bwrap" not in words for words in _below(replay)))
        assert replay.end() == 130
    words = "\n".join(line for line in replay.words.splitlines() if not line.startswith("! "))
    assert json.loads(words)["error"]["exit_code"] == 130


def _below(running: object) -> list[str]:
    process = psutil.Process(running.process.pid)  # type: ignore[attr-defined]
    found = []
    for child in process.children(recursive=True):
        try:
            found.append(" ".join(child.cmdline()))
        except psutil.Error:
            continue
    return found

"""A stranger's bundle looks around from inside of its replay, and takes more than it may."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pexpect
import psutil
import pytest

from envfreeze.engines import _local_sandbox

from .conftest import ENGINES, Result, run

# Neither is ever frozen: they run inside of a replay only, as today's code, and what they try has no effect
# where nothing keeps them from it.
LOOK = """\
    import ctypes, errno, glob, json, os, socket, sys

    found = {}
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"):
        found[name] = status[name].strip()

    def reached(host, port, kind=socket.SOCK_STREAM):
        try:
            with socket.socket(socket.AF_INET, kind) as one:
                one.settimeout(3)
                one.connect((host, port))
                one.send(b"x")
            return True
        except OSError:
            return False

    found["network"] = [host for host in ("1.1.1.1", "172.17.0.1", "169.254.169.254", sys.argv[1])
                        if reached(host, 80) or reached(host, 53, socket.SOCK_DGRAM)]
    found["interfaces"] = sorted(name for _, name in socket.if_nameindex())

    def written(folder):
        try:
            path = os.path.join(folder, "evil")
            open(path, "w").close()
            os.unlink(path)
            return True
        except OSError:
            return False

    shared = os.statvfs("/dev/shm")
    found["shared memory"] = shared.f_blocks * shared.f_frsize
    places = ["/", "/dev", "/etc", "/usr", "/usr/bin", "/usr/local/lib", "/opt", "/var", "/var/lib", "/srv",
              "/root", "/run", "/sys", "/sys/kernel", "/proc/sys/kernel", sys.prefix, sys.base_prefix,
              os.path.dirname(os.__file__)]
    found["wrote"] = [place for place in places if written(place)]
    found["mounted"] = sorted({fields[4] for fields in map(str.split, open("/proc/self/mountinfo"))
                               if "rw" in fields[5].split(",")})
    sockets = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock",
               "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket")
    found["sockets"] = [path for path in sockets if os.path.exists(path)]
    found["devices"] = sorted(os.listdir("/dev"))

    def contents(pattern):
        for path in glob.glob(pattern):
            try:
                yield open(path, "rb").read()
            except OSError:
                pass

    found["leaked"] = "SECRET_OF_HOST" in os.environ or any(
        b"SECRET_OF_HOST" in text for text in contents("/proc/[0-9]*/environ"))
    found["variables"] = sorted(os.environ)
    found["host file"] = os.path.exists(sys.argv[2])
    found["processes"] = len(glob.glob("/proc/[0-9]*"))
    try:
        open("/dev/tty").close()
        found["terminal"] = True
    except OSError:
        found["terminal"] = False

    libc = ctypes.CDLL(None, use_errno=True)
    def refused(call, *words):
        ctypes.set_errno(0)
        return getattr(libc, call)(*words) != 0 and errno.errorcode[ctypes.get_errno()]
    # Without a type there is nothing to mount: EINVAL for whoever may, EPERM for all others (mount(2)).
    found["mount"] = refused("mount", None, b"/tmp", None, 0, None)
    found["user namespace"] = refused("unshare", 0x10000000)
    found["limits"] = {path: open(path).read().strip() for path in (
        "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max",
        "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes") if os.path.exists(path)}
    print(json.dumps(found))
"""
TAKE = """\
    import os, sys, time
    kind = open("kind").read()
    print("begun", flush=True)
    if kind == "disk":
        with open("big", "wb") as stream:
            for _ in range(400):
                stream.write(b"x" * (1 << 20))
                stream.flush()
                time.sleep(0.02)
    if kind == "words":
        for _ in range(400):
            print("x" * (1 << 20), flush=True)
            time.sleep(0.02)
    if kind == "memory":
        kept = []
        for _ in range(600):
            kept.append(bytearray(os.urandom(1 << 20)))
            time.sleep(0.005)
    time.sleep(60)
    print("survived")
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, bare_environment: Path) -> Path:
    """A stranger's, with a program that is told an address and a file of this machine."""
    folder = tmp_path_factory.mktemp("stranger") / "project"
    folder.mkdir()
    (folder / "main.py").write_text("print(1)\n")
    (folder.parent / "key").write_text("private")
    words = (own_address(), str(folder.parent / "key"))
    command = ("freeze", "-q", "--offline", "--profile", "off", "--", "python", "main.py", *words)
    frozen = run(*command, cwd=folder, path=[bare_environment])
    assert frozen.returncode == 0, frozen.stderr
    packed = run("pack", "-q", "-o", "../paper.zip", cwd=folder)
    assert packed.returncode == 0, packed.stderr
    return folder.parent / "paper.zip"


def own_address() -> str:
    """Of this machine, towards others; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("192.0.2.1", 9))
        except OSError:
            return "192.0.2.1"
        return str(one.getsockname()[0])


def code(folder: Path, script: str, **files: str) -> Path:
    """A folder with this program, and what it reads."""
    for name, text in {"main.py": textwrap.dedent(script), **files}.items():
        (folder / name).write_text(text)
    return folder


def replayed(bundle: Path, engine: str, *more: str, path: tuple[Path, ...] = ()) -> tuple[Result, Any]:
    """A replay as a user with secrets starts it, and its record."""
    env = {"SECRET_OF_HOST": "SECRET_OF_HOST", "DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG", "")}
    words = ("replay", bundle, "--yes", "--engine", engine, "--json", *more)
    done = run(*words, cwd=bundle.parent, env=env, path=path)
    assert done.returncode in (0, 1), done.stderr
    return done, done.json["run"]


def seen(bundle: Path, engine: str, code: Path, **more: Any) -> tuple[dict[str, Any], Any]:
    _, record = replayed(bundle, engine, "--code", str(code), **more)
    return json.loads((Path(record["folder"]) / "stdout").read_text()), record


HARMLESS = {
    "console", "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
    "stdout", "tty", "urandom", "zero",
}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_stranger_finds(engine: str, bundle: Path, tmp_path: Path) -> None:
    if engine == "local" and _local_sandbox.best() != "bubblewrap":
        pytest.skip("this machine has no bubblewrap, and replays say so")
    found, record = seen(bundle, engine, code(tmp_path, LOOK))
    nothing = "0000000000000000"
    assert {found[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {nothing}
    assert found["NoNewPrivs"] == "1"
    assert found["network"] == [] and found["interfaces"] == ["lo"]
    assert found["wrote"] == [], "the system is read-only"
    assert 0 < found["shared memory"] <= 2 << 30
    assert found["sockets"] == [] and not found["host file"] and not found["terminal"]
    assert not found["leaked"] and found["processes"] < 10
    assert set(found["devices"]) <= HARMLESS, "no GPU, no disk, no memory"
    assert found["mount"] == "EPERM"
    own = {"DOCKER_HOST", "DOCKER_CONFIG", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "SECRET_OF_HOST"}
    assert own.isdisjoint(found["variables"])
    said = " ".join(record["isolated"])
    assert "network" in said and "kernel" in " ".join(record["not_isolated"])
    if engine == "docker":
        assert found["CapBnd"] == nothing
        assert found["Seccomp"] == "2", "the engine's default filter"
        assert found["user namespace"] == "EPERM"
        assert any(value == "4096" for path, value in found["limits"].items() if "pids" in path)
        memory = [int(value) for path, value in found["limits"].items() if "memory" in path]
        assert memory and memory[0] < psutil.virtual_memory().total


def test_without_bubblewrap_the_record_says_what_is_open(
    bundle: Path, no_bubblewrap: Path, tmp_path: Path
) -> None:
    """Nothing is tried here that would succeed."""
    script = """\
        import json, os, socket
        interfaces = sorted(name for _, name in socket.if_nameindex())
        print(json.dumps({"variables": sorted(os.environ), "interfaces": interfaces}))
    """
    found, record = seen(bundle, "local", code(tmp_path, script), path=(no_bubblewrap,))
    assert {"SECRET_OF_HOST", "DOCKER_HOST", "SSH_AUTH_SOCK"}.isdisjoint(found["variables"])
    said = " ".join(record["not_isolated"])
    assert "file system: the command could read and write whatever its user can" in said
    if found["interfaces"] != ["lo"]:
        assert "network: this machine's" in said


MORE = ("words", "memory", "time")
LIMITS = {
    "disk": (("--disk", "60m"), "of disk"),
    "words": (("--disk", "60m"), "of disk"),
    "memory": (("--memory", "200m"), "memory"),
    "time": (("--timeout", "2"), ""),
}


@pytest.mark.parametrize("kind", ["disk", *(pytest.param(kind, marks=pytest.mark.slow) for kind in MORE)])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_stranger_takes_has_an_end(engine: str, kind: str, bundle: Path, tmp_path: Path) -> None:
    options, words = LIMITS[kind]
    began = time.monotonic()
    folder = code(tmp_path, TAKE, kind=kind)
    _, record = replayed(bundle, engine, "--code", str(folder), *options)
    assert time.monotonic() - began < 60, "it would have gone on for longer"
    assert record["exit_status"] in (124, 137), record
    assert record.get("timed_out", False) is (kind == "time")
    assert not words or any(words in note for note in record["notes"]), record
    assert "survived" not in (Path(record["folder"]) / "stdout").read_text()[-100:]


def test_a_lock_in_a_bundle_has_bounds_without_being_asked(bundle: Path, tmp_path: Path) -> None:
    from envfreeze import artifacts
    from envfreeze.bundle.limits import for_stranger
    from envfreeze.records import lockfile
    from envfreeze.records.run import Limits

    folder, _ = artifacts.unpack(bundle, tmp_path / "out")
    lock = lockfile.read(folder / "experiments" / "main" / "envfreeze.lock")
    limits = for_stranger(None, lock, tmp_path)
    assert limits.timeout == 3600 and limits.processes == 4096
    assert limits.memory and limits.memory < psutil.virtual_memory().total
    assert limits.disk and limits.disk <= 10 << 30
    given = Limits(memory=1, timeout=2, disk=3)
    assert for_stranger(given, lock, tmp_path) == given


def test_the_local_engine_asks_once_and_says_how_weak_it_is(bundle: Path, tmp_path: Path) -> None:
    script = run("replay", bundle, "--engine", "local", cwd=tmp_path)
    assert script.returncode == 2
    assert "runs this bundle's programs as you" in script.stderr and "--yes" in script.stderr
    command = f"{sys.executable} -m envfreeze replay {bundle} --engine local"
    terminal = pexpect.spawn(command, cwd=str(tmp_path), encoding="utf-8", timeout=60, dimensions=(40, 200))
    terminal.expect(r"Go on\? \[y/N\]")
    terminal.sendline("n")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus != 0
    from envfreeze import artifacts

    folder, _ = artifacts.unpack(bundle, tmp_path.parent / "unpacked by hand")
    for command in ("replay", "sweep"):
        asked = run(command, folder / "experiments" / "main", "--engine", "local", cwd=tmp_path)
        assert asked.returncode == 2 and "--yes" in asked.stderr, "its locks are a stranger's too"
    assert subprocess.run(["ls", tmp_path], capture_output=True, text=True).stdout == "", "nothing ran"

"""One program with every source that Python code has by itself, and the interpreters that it is run by."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """\
import asyncio, datetime, getpass, glob, logging, multiprocessing, os, pathlib, platform, queue, random
import secrets, signal, socket, subprocess, sys, tempfile, threading, time, uuid


class Timer:
    clock = time.perf_counter  # stays a function, and becomes no method


def say(name, *values):
    print(name, *values, flush=True)


def work(number):
    return number, random.random(), random.Random().random(), os.urandom(3), time.perf_counter(), hash("a")


def threads():
    lines = {}

    def draw(number):
        for _ in range(20):
            os.urandom(2), time.perf_counter()
        try:
            queue.Queue().get(timeout=0.01)
        except queue.Empty:
            pass
        lines[number] = random.Random().random(), time.time(), os.urandom(4)

    started = [threading.Thread(target=draw, args=(number,)) for number in range(4)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(timeout=30)
    return sorted(lines.items())


async def loop():
    async def step(number):
        await asyncio.sleep(0.01 * random.random())
        return number, random.Random().random()

    return await asyncio.wait_for(asyncio.gather(*map(step, range(5))), timeout=30)


def forked():
    sys.stdout.flush()
    for _ in range(2):
        child = os.fork()
        if child == 0:
            say("child", random.random(), os.urandom(3), time.time(), os.getpid(), os.getppid())
            os._exit(0)
        say("forked", child, os.waitpid(child, 0))
    sleeper = subprocess.Popen(["sleep", "99"], start_new_session=True)
    say("proc", os.path.exists("/proc/%d/stat" % sleeper.pid), os.sched_getaffinity(sleeper.pid) != set())
    os.killpg(sleeper.pid, signal.SIGTERM)
    say("ended", sleeper.pid, sleeper.wait())
    signal.signal(signal.SIGUSR1, lambda *_: say("signalled"))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)


if __name__ == "__main__":
    say("numbers", os.getpid(), os.getppid(), threading.get_native_id())
    say("groups", os.getpgid(0) == os.getpgid(os.getpid()))
    say("random", random.random(), random.Random().random(), random.SystemRandom().random())
    say("uuid", uuid.uuid1(), uuid.uuid4(), uuid.getnode())
    say("secrets", secrets.token_hex(), os.urandom(5), os.getrandom(3), bytes(tempfile.mktemp(), "ascii"))
    say("hash order", {"a", "b", "c", "d", "e"}, hash("x"))
    say("dates", datetime.datetime.now(), datetime.datetime.utcnow(), datetime.date.today())
    say("zones", datetime.datetime.now(datetime.timezone.utc), datetime.datetime.today())
    began = time.perf_counter()
    for step in range(20):
        say("step", step, time.perf_counter() - began, time.monotonic_ns(), time.process_time())
    say("times", time.time(), time.time_ns(), time.ctime(), time.localtime(), time.strftime("%c"))
    say("attribute", Timer().clock(), time.thread_time(), time.gmtime(), time.asctime())
    say("clock", time.clock_gettime(time.CLOCK_BOOTTIME))
    logging.basicConfig(format="%(asctime)s %(relativeCreated)d", stream=sys.stdout)
    logging.error("")
    say("machine", socket.gethostname(), platform.node(), os.uname().nodename, getpass.getuser())
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(20):
            open(folder + "/%d" % random.getrandbits(30), "w").close()
        say("order", folder, os.listdir(folder), glob.glob(folder + "/*"), list(os.walk(folder)))
        with os.scandir(folder) as entries:
            say("entries", [entry.name for entry in entries])
        say("paths", [path.name for path in pathlib.Path(folder).iterdir()])
    say("threads", threads())
    say("loop", asyncio.run(loop()))
    forked()
    code = "import random, time; print(random.random(), time.time(), hash('a'))"
    children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
    say("programs", [(child.pid, child.communicate()[0]) for child in children])
    for way in ("fork", "spawn"):
        with multiprocessing.get_context(way).Pool(1) as pool:
            say(way, pool.map(work, range(3)), [worker.pid for worker in pool._pool])
"""

VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
_BY_DEFAULT = ("3.8", "3.13")
EVERY_VERSION = [
    pytest.param(version, marks=() if version in _BY_DEFAULT else pytest.mark.slow) for version in VERSIONS
]


def environment_of(version: str, folder: Path) -> Path:
    """The programs of a new virtual environment of this version; skips where there is no such Python."""
    subprocess.run([_interpreter(version), "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin"


def _interpreter(version: str) -> Path:
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return Path(sys.executable)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for found in sorted(root.glob(f"{version}.*/bin/python")):
        return found
    pytest.skip(f"no Python {version} here")

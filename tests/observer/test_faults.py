"""Faults in the observer: whatever of it fails, the run prints and returns what the bare run does."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envfreeze.files import sha256
from envfreeze.observer import inject
from envfreeze.store import Store

from .conftest import FREEZE, Watching

needs_shim = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may")


# Every function of the agent raises

BUSY = """
import argparse, ctypes, os, sqlite3, subprocess, sys, multiprocessing
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=3)
print(parser.parse_args())
print(open("data").read(), open(b"data").read(), os.environ.get("SEED"))
open("out", "w").write("new")
os.rename("out", "moved")
open("out", "a+").write("again")
os.truncate("moved", 1)
os.remove("moved")
sqlite3.connect("table.db").close()
ctypes.CDLL(None)
print(subprocess.run([sys.executable, "-c", "print(open('data').read())"], capture_output=True))
os.system("cat data")
if os.fork() == 0:
    open("data").read()
    os._exit(3)
print(os.wait()[1])
try:
    open("missing/" + "x" * 9)
except OSError as error:
    print(error)
sys.exit(7)
"""

CATCHING = {
    "hook": "the audit hook itself",
    "_is_the_users": "decides inside of the hook whose exception it is",
    "watched": "calls the hooks for parameters",
    "called": "stands for a function of a library, and calls it and the hook",
    "__get__": "the same for a method",
    "encodekey": "the same for the environment's variables",
    "find_spec": "stands for the finder of modules, whose exceptions are the program's",
    "exec_module": "stands for the loader of modules",
    "create_module": "the same",
    "enter": "is asked by all that stands for functions, and says that they are the program's own",
    "call": "stands for a function of a library, and calls what does so here",
    "started": "the same, and tells their numbers",
    "number": "stands for get_native_id",
    "leaves": "stands for os._exit",
    "fork_exec": "stands for that of _posixsubprocess",
    "system": "stands for os.system",
    "through": "stands for os.urandom, and for clocks",
    "starting": "starts programs, whose exceptions are the program's",
}
"""Functions that catch what the others raise; there is nobody to catch theirs."""


def agent_functions() -> Iterator[tuple[str, str, int]]:
    """File, name and line of the first statement of each function that runs inside the command."""
    for path in sorted(inject.AGENT.glob("envfreeze_*.py")):
        if path.stem.startswith("envfreeze_params_") and path.stem[17:] not in ("argparse", "os"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name not in CATCHING:
                yield path.name, node.name, _first(node.body).lineno


def _first(body: list[ast.stmt]) -> ast.stmt:
    """The first statement inside of a ``try`` around all of a function, which is part of what is tested."""
    body = body[1:] if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) else body
    return _first(body[0].body) if isinstance(body[0], ast.Try) else body[0]


def bare(*command: str, project: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=project, capture_output=True, timeout=60)


def injected(
    *command: str, project: Path, folder: Path, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """The command as ``watch`` runs it, with nothing read afterwards."""
    folder.mkdir()
    environment = inject.inject(os.environ | variables, folder=folder, project=project, tape_limit=1 << 20)
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, timeout=60)


def outcome(done: subprocess.CompletedProcess[bytes]) -> tuple[int, bytes, bytes]:
    return done.returncode, done.stdout, done.stderr


def _in_tests(file: str, name: str, line: int) -> object:
    return pytest.param(file, name, line, marks=pytest.mark.slow if "_tape" in file else ())


@pytest.mark.parametrize(("file", "name", "line"), [_in_tests(*found) for found in agent_functions()])
def test_a_function_of_the_agent_that_raises(project, tmp_path, monkeypatch, without_shim, file, name, line):
    """Without the shim, as the agent leaves to the shim what that sees."""
    (project / "data").write_text("content")
    (project / "main.py").write_text(BUSY)
    expected = bare(sys.executable, "main.py", project=project)
    copy = Path(shutil.copytree(inject.AGENT, tmp_path / "broken"))
    lines = (copy / file).read_text().splitlines()
    indent = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
    lines.insert(line - 1, f"{indent}raise ValueError('broken')")
    (copy / file).write_text("\n".join(lines))
    monkeypatch.setattr(inject, "AGENT", copy)
    done = injected(sys.executable, "main.py", project=project, folder=tmp_path / "run")
    assert outcome(done) == outcome(expected)


@pytest.mark.parametrize("file", ["envfreeze_agent.py", "envfreeze_agent_report.py", "envfreeze_*.py"])
@pytest.mark.parametrize("content", ["import not_there", "1 +", None])
def test_an_agent_that_cannot_be_imported(project, tmp_path, monkeypatch, file, content):
    """Damaged or removed files."""
    (project / "data").write_text("content")
    (project / "main.py").write_text(BUSY)
    expected = bare(sys.executable, "main.py", project=project)
    copy = Path(shutil.copytree(inject.AGENT, tmp_path / "broken"))
    for path in copy.glob(file):
        path.write_text(content) if content is not None else path.unlink()
    monkeypatch.setattr(inject, "AGENT", copy)
    done = injected(sys.executable, "main.py", project=project, folder=tmp_path / "run")
    assert outcome(done) == outcome(expected)


# Nowhere to write


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], capture_output=True)


FILLING = """
import os, subprocess, sys
with open(sys.argv[1], "wb", buffering=0) as full:
    try:
        while full.write(bytes(1 << 10)):
            pass
    except OSError as error:
        print(error.strerror)
for number in range(3000):
    try:
        open("missing/" + "x" * 200 + str(number))
    except OSError:
        pass
open("made", "w").write("made")
print(subprocess.run(["sh", "-c", "cat data; cat made"], capture_output=True))
print(len(os.urandom(100)), sys.stdin.read())
sys.stderr.write("to the error stream")
sys.exit(5)
"""


@needs_shim
@pytest.mark.parametrize("full_at", ["start", "middle"])
def test_a_disk_that_is_full(project, small_disk, tmp_path, full_at):
    """Agent, shim and tapes have nowhere to write, from the first moment or from some moment on."""
    (project / "data").write_text("content")
    (project / "main.py").write_text(FILLING)
    command = (sys.executable, "main.py", str(small_disk / "full"))
    expected = bare(*command, project=project)
    (small_disk / "full").unlink()
    run = small_disk / "run"
    run.mkdir()
    environment = inject.inject(os.environ, folder=run, project=project, tape_limit=1 << 20)
    if full_at == "start":
        subprocess.run(["sh", "-c", f"cat /dev/zero > {small_disk}/rest"], stderr=subprocess.DEVNULL)
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, timeout=60)
    assert outcome(done) == outcome(expected)


# The command line: the store fails at the end of the run, or envfreeze is gone before it


def freeze(*command: str, project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    words = [*FREEZE, "--no-dockerfile", "--", *command]
    done = subprocess.run(
        words, cwd=project, env=os.environ | variables, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr and "fault in envfreeze" not in done.stderr, done.stderr
    return done


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence that envfreeze says."""
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("envfreeze: ")]
    return sentence


ENDING = """
import subprocess, sys
print("so far")
open("made", "w").write("result")
subprocess.run(sys.argv[1], shell=True, check=True)
print("to the end")
sys.exit(7)
"""


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("rm -rf .envfreeze", id="removed"),
        pytest.param("rm -rf .envfreeze; echo x > .envfreeze", id="replaced by a file"),
        pytest.param("rm -rf .envfreeze/objects; echo x > .envfreeze/objects", id="no folder for objects"),
    ],
)
def test_a_store_that_the_run_spoils(project, fault):
    (project / "main.py").write_text(ENDING)
    done = freeze(sys.executable, "main.py", fault, project=project)
    assert done.stdout == "so far\nto the end\n"
    assert (project / "made").read_text() == "result"
    assert done.returncode == 3, done.stderr
    assert str(project / ".envfreeze") in complaint(done)
    assert not (project / "envfreeze.lock").exists()


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        pytest.param("cat /dev/zero > .envfreeze/full 2> /dev/null || true", "no space left", id="full"),
        pytest.param(
            "mount -t tmpfs -o ro none .envfreeze/objects", "read-only file system", id="unwritable"
        ),
    ],
)
def test_a_store_that_cannot_be_written_at_the_end(project, small_disk, fault, word):
    (project / "main.py").write_text(ENDING)
    (project / ".envfreeze").mkdir()
    subprocess.run(["mount", "--bind", small_disk, project / ".envfreeze"], check=True)
    try:
        done = freeze(sys.executable, "main.py", fault, project=project)
    finally:
        subprocess.run(["umount", "-R", "-l", project / ".envfreeze"], check=True)
    assert done.stdout == "so far\nto the end\n"
    assert (project / "made").read_text() == "result"
    assert done.returncode == 3, done.stderr
    assert word in complaint(done)
    assert not (project / "envfreeze.lock").exists()


def test_data_that_does_not_fit_into_the_store(project, small_disk):
    """What was stored until then is whole, and nothing is left of the rest; with room the freeze goes on."""
    for name in ("one", "two", "three"):
        (project / name).write_bytes(os.urandom(300_000))
    (project / "main.py").write_text(
        "import sys\nfor name in ('one', 'two', 'three'): open(name, 'rb').read()\n"
        "open('made', 'wb').write(bytes(400_000)); print('to the end'); sys.exit(7)\n"
    )
    (project / ".envfreeze").mkdir()
    subprocess.run(["mount", "--bind", small_disk, project / ".envfreeze"], check=True)
    try:
        done = freeze(sys.executable, "main.py", project=project)
        assert done.stdout == "to the end\n"
        assert (project / "made").read_bytes() == bytes(400_000)
        assert done.returncode == 3, done.stderr
        assert "no space left" in complaint(done)
        assert not (project / "envfreeze.lock").exists()
        store = Store(project)
        objects = [path for path in store.objects.glob("*/*") if path.is_file()]
        assert all(sha256(path) == path.parent.name + path.name for path in objects)
        assert os.listdir(store.root / "tmp") == []
        subprocess.run(["mount", "-o", "remount,size=1g", small_disk], check=True)
        assert freeze(sys.executable, "main.py", project=project).returncode == 7
    finally:
        subprocess.run(["umount", "-R", "-l", project / ".envfreeze"], check=True)


STEPS = """
import pathlib, subprocess, sys, time
for step in range(20):
    with open("steps.txt", "a") as log:
        print("step", step, file=log)
    if step == 3:
        print("killed now", flush=True)
        time.sleep(0.5)
subprocess.run([sys.executable, "-c", "open('child.txt', 'w').write('whole')"])
pathlib.Path("finished").write_text("whole")
"""


def test_envfreeze_is_killed_while_the_command_runs(project):
    """The command goes on to its end. Only its output has nobody who reads it, as behind a ``tee`` that died.

    What was left unfinished is cleared by the next freeze, which needs not wait for a lock either.
    """
    (project / "main.py").write_text(STEPS)
    words = [*FREEZE, "--", sys.executable, "main.py"]
    process = subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.readline() == b"killed now\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    deadline = time.monotonic() + 60
    while not (project / "finished").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (project / "finished").read_text() == "whole"
    assert (project / "child.txt").read_text() == "whole"
    assert (project / "steps.txt").read_text() == "".join(f"step {step}\n" for step in range(20))
    assert not (project / "envfreeze.lock").exists()
    assert freeze(sys.executable, "-c", "print(1)", project=project).returncode == 0
    assert os.listdir(project / ".envfreeze/tmp") == []


# What the run does to the observer, and what it is made of


def whats(watched):
    return "\n".join(f"{gap.what}: {gap.why}" for gap in watched.gaps)


def test_the_reports_are_removed_in_the_middle(watching, project):
    (project / "data").write_text("content")
    script = """
        import os, shutil, subprocess, sys
        shutil.rmtree(os.environ["ENVFREEZE_AGENT"])
        print(open("data").read())
        open("made", "w").write("made")
        print(subprocess.run(["cat", "data"], capture_output=True))
        if os.fork() == 0:
            open("made by the child", "w").close()
            os._exit(4)
        print(os.wait()[1])
        sys.exit(6)
        """
    watched = watching.python(script)
    assert watching.stdout(watched).endswith(b"stderr=b'')\n1024\n")
    assert watched.observation.stderr.size == 0
    assert watched.observation.exit_status == 6
    assert set(watching.outputs(watched)) == {"made", "made by the child"}
    assert whats(watched), "that something is missing is said"


def test_a_shim_that_is_no_library(watching, project, tmp_path, monkeypatch):
    """The loader would print an error into the command's output, so it is not used."""
    (tmp_path / "shim.so").write_bytes(b"\x7fELF and no more")
    monkeypatch.setattr(inject, "SHIM", tmp_path / "shim.so")
    watched = watching("sh", "-c", "echo fine; exit 9")
    assert watching.stdout(watched) == b"fine\n"
    assert watched.observation.stderr.size == 0
    assert watched.observation.exit_status == 9


def test_many_files(tmp_path):
    """A hundred thousand of them, all made by the run; in memory where that can be, as disks are slow."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30 else tmp_path
    with tempfile.TemporaryDirectory(dir=place) as folder:
        watching = Watching(Path(folder))
        watched = watching.python(
            """
            import os
            for folder in range(100):
                os.mkdir(f"made-{folder}")
                for number in range(1000):
                    open(f"made-{folder}/{number}", "w").close()
            print("made", len(os.listdir("made-99")))
            """
        )
        assert watching.stdout(watched) == b"made 1000\n"
        assert watched.observation.exit_status == 0
        assert watched.observation.stderr.size == 0
        assert watched.observation.outputs.count == 100_000


def test_a_working_directory_that_is_deleted(watching, project):
    script = "mkdir gone; cd gone; rmdir ../gone; cat nothing; echo $?; true; ls; exec " + sys.executable
    script += " -c \"import os; open('/proc/self/stat').read(); print('python')\""
    expected = bare("sh", "-c", script, project=project)
    watched = watching("sh", "-c", script)
    assert watching.stdout(watched) == expected.stdout
    assert watched.observation.stderr.size == len(expected.stderr)
    assert watched.observation.exit_status == expected.returncode


@needs_shim
@needs_compiler
def test_a_library_that_the_user_preloads_is_kept(watching, project, tmp_path):
    code = '__attribute__((constructor)) static void s(void) { write(1, "preloaded\\n", 10); }\n'
    (tmp_path / "own.c").write_text(f"#include <unistd.h>\n{code}")
    library = str(tmp_path / "own.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "own.c"], check=True)
    environment = {**os.environ, "LD_PRELOAD": library}
    watched = watching("sh", "-c", "cat /dev/null; env -i cat /dev/null", environment=environment)
    assert watching.stdout(watched) == b"preloaded\n" * 3 + watching.stdout(watched)[30:]
    assert watched.observation.stderr.size == 0
    assert watched.observation.environment.get("LD_PRELOAD", library) == library


def privileged() -> str | None:
    """A set-user-ID program that is harmless with ``--version``."""
    for name in ("mount", "umount", "su", "sudo", "newgrp"):
        path = shutil.which(name)
        if path and os.stat(path).st_mode & stat.S_ISUID:
            return path
    return None


@needs_shim
@needs_root
@pytest.mark.skipif(privileged() is None or shutil.which("setpriv") is None, reason="no such programs here")
def test_a_set_user_id_program(watching, project, tmp_path):
    """Started by somebody else than its owner, so that the loader takes it for what it is."""
    command = ["setpriv", "--reuid=65534", "--clear-groups", privileged(), "--version"]
    expected = bare(*command, project=project)
    watched = watching(*command)
    assert watching.stdout(watched) == expected.stdout
    assert watched.observation.stderr.size == len(expected.stderr) == 0
    assert watched.observation.exit_status == expected.returncode


@needs_root
@pytest.mark.skipif(shutil.which("chroot") is None, reason="no chroot here")
def test_a_program_in_another_root(watching, project, tmp_path):
    root = tmp_path / "root"
    for line in subprocess.run(["ldd", "/bin/cat"], capture_output=True, text=True).stdout.split():
        if line.startswith("/"):
            (root / line[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(line, root / line[1:])
    shutil.copy("/bin/cat", root / "cat")
    (root / "data").write_text("inside\n")
    command = ["chroot", str(root), "/cat", "/data"]
    expected = bare(*command, project=project)
    assert expected.stdout == b"inside\n", expected.stderr
    watched = watching(*command)
    assert watching.stdout(watched) == expected.stdout
    assert watched.observation.exit_status == 0
    stderr = watching.store.path(watched.observation.stderr.sha256).read_bytes()
    assert stderr == expected.stderr


@needs_shim
@needs_root
def test_a_program_of_a_user_who_may_not_read_the_shim(watching, project, tmp_path, monkeypatch):
    """As when envfreeze is installed below the home folder of root."""
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    monkeypatch.setattr(inject, "SHIM", Path(shutil.copy(inject.SHIM, hidden / inject.SHIM.name)))
    script = watching.script("import os; os.setuid(65534); os.execv('/bin/cat', ['cat', '/etc/passwd'])\n")
    expected = bare(sys.executable, script, project=project)
    watched = watching(sys.executable, script)
    assert watching.stdout(watched) == expected.stdout
    assert watched.observation.stderr.size == len(expected.stderr) == 0
    assert watched.observation.exit_status == expected.returncode == 0

"""Faults in the observer: whatever of it fails, the run's output and exit status are those of the bare run."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envfreeze.errors import EnvironmentFailure
from envfreeze.observer import inject
from envfreeze.store import Store

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
}
"""Functions that catch what the others raise; there is nobody to catch theirs."""


def agent_functions() -> Iterator[tuple[str, str, int]]:
    """File, name and number of the line of the first statement of each function that runs inside the command."""
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


@pytest.mark.parametrize(("file", "name", "line"), list(agent_functions()))
def test_a_function_of_the_agent_that_raises(project, tmp_path, monkeypatch, file, name, line):
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


@pytest.mark.parametrize("file", ["sitecustomize.py", "envfreeze_agent.py", "envfreeze_agent_report.py", "*"])
@pytest.mark.parametrize("content", ["import not_there", "1 +", None])
def test_an_agent_that_cannot_be_imported(project, tmp_path, monkeypatch, file, content):
    """Damaged or removed files, all of them at once too; Python itself speaks of a broken ``sitecustomize``."""
    if file in ("sitecustomize.py", "*") and content is not None:
        file = "envfreeze_*.py"
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
def test_a_disk_that_is_full_from_the_start_or_fills_while_the_shim_writes(project, small_disk, tmp_path):
    (project / "data").write_text("content")
    (project / "main.py").write_text(FILLING)
    command = (sys.executable, "main.py")
    expected = bare(*command, str(small_disk / "full"), project=project)
    for name in ("full", "fuller"):  # the second run finds the disk as the first has left it
        done = injected(*command, str(small_disk / "full"), project=project, folder=small_disk / "run")
        assert outcome(done) == outcome(expected), name
        (small_disk / "run").rename(small_disk / name[::-1])


# The command line: the store fails at the end of the run, or envfreeze is gone before it


class Finished(subprocess.CompletedProcess[str]):
    """A finished envfreeze process."""


def freeze(*command: str, project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "envfreeze", "freeze", "--offline", "--no-dockerfile", "--", *command]
    done = subprocess.run(
        words, cwd=project, env=os.environ | variables, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr and "fault in envfreeze" not in done.stderr, done.stderr
    return done


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence that envfreeze says."""
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("envfreeze: ")]
    return sentence

"""The tapes of the agent, where there is no shim: what Python code asks for is the same in a replay."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from envfreeze import workflow
from envfreeze.observer import inject
from envfreeze.records.lock import Lock
from envfreeze.store import Store

from ._every_source import PROGRAM, VERSIONS, environment_of
from ._recorder import AgentRecorder
from .test_tapes import ENGINES, POOL, POOLS, PYTHON, freeze

OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(autouse=True)
def no_shim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inject.SWITCH, "off")
    assert inject.shim() is None


def taped(project: Path, python: Path, *command: str, **options: object) -> Lock:
    lock = freeze(project, python, *command, **options)
    assert lock.run is not None and lock.run.exit_status == 0
    assert lock.run.tapes is not None and lock.run.tapes.layers == ("agent",)
    return lock


UNTAPED = {"device", "isolated_mode", "machine", "file_times", "children"}
"""Other programs, files of the system, and what libraries in C ask for: said in docs/determinism.md."""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("version", VERSIONS)
def test_each_program_is_the_same(version: str, engine: str, project: Path, tmp_path: Path) -> None:
    lines = ["mkdir -p out"]
    names = [*(name for name in PYTHON if name not in UNTAPED), *POOLS]
    for name in names[: -len(POOLS)]:
        (project / f"{name}_.py").write_text(textwrap.dedent(PYTHON[name]))
        lines.append(f"python {name}_.py > out/{name} 2>&1")
    (project / "pool_.py").write_text(textwrap.dedent(POOL))
    lines += [f"python pool_.py {method} > out/{method}" for method in POOLS]
    (project / "run.sh").write_text("\n".join(lines) + "\n")
    taped(project, environment_of(version, tmp_path / "venv"), "sh", "run.sh")
    run = workflow.replay(project, engine=engine)
    assert run.comparison is not None
    assert [output.path for output in run.comparison.outputs if output.verdict != "identical"] == []


@pytest.mark.engine
def test_every_source_is_the_same_in_a_container(project: Path, tmp_path: Path) -> None:
    (project / "main.py").write_text(PROGRAM)
    lock = taped(project, environment_of(OWN, tmp_path / "venv"), "python", "main.py")
    run = workflow.replay(project, engine="docker")
    assert lock.run is not None
    before = Store(project).path(lock.run.stdout.sha256).read_text().splitlines()
    after = (Path(run.folder) / "stdout").read_text().splitlines()
    assert [(one, two) for one, two in zip(before, after, strict=True) if one != two] == []
    assert run.comparison and run.comparison.verdict == "identical"


@pytest.fixture
def recorder(tmp_path: Path) -> AgentRecorder:
    return AgentRecorder(tmp_path)


_STANDS_FOR = """
import datetime, inspect, os, pickle, random, signal, time
class Timer:
    clock = time.time
print(pickle.loads(pickle.dumps(os.getpid))() == os.getpid())
print(Timer().clock() > 0, pickle.loads(pickle.dumps(time.time)) is time.time, time.time.__name__)
print(pickle.loads(pickle.dumps(random.Random)) is random.Random, random.seed(3), random.random())
class Mine(datetime.datetime):
    pass
now = Mine.now(datetime.timezone.utc)
print(type(now), type(datetime.datetime.utcnow()), isinstance(now, datetime.datetime))
print(pickle.loads(pickle.dumps(datetime.datetime.now())).year > 2000)
os.scandir("/nothing-here")
"""


def test_what_stands_for_a_function_behaves_like_it(recorder: AgentRecorder) -> None:
    """As an attribute of a class, pickled, for subclasses, and where it fails."""
    bare = subprocess.run([sys.executable, "-c", _STANDS_FOR], capture_output=True)
    done, sealed, _ = recorder.record(sys.executable, "-c", _STANDS_FOR)
    again, _ = recorder.play(sealed, sys.executable, "-c", _STANDS_FOR)
    assert bare.stdout.count(b"\n") == 5 and b"FileNotFoundError" in bare.stderr
    for run in (done, again):
        assert (run.returncode, run.stdout) == (bare.returncode, bare.stdout)
        assert run.stderr.splitlines()[-1] == bare.stderr.splitlines()[-1]


_STARTS = """
import os, sys
code = "import os; print(os.getpid() > 0)"
for env in (os.environ, os.environb, {}, {"A": "b"}, {b"A": b"b"}):
    os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", code], env), 0)
child = os.fork()
if child == 0:
    os.execve(sys.executable, [sys.executable, "-c", code], dict(os.environb))
os.waitpid(child, 0)
"""


def test_programs_are_started_with_variables_of_every_kind(recorder: AgentRecorder) -> None:
    """Under -bb the comparison of text with bytes is an error."""
    done, sealed, gaps = recorder.record(sys.executable, "-bb", "-c", _STARTS)
    again, left = recorder.play(sealed, sys.executable, "-bb", "-c", _STARTS)
    for run in (done, again):
        assert (run.returncode, run.stdout, run.stderr) == (0, b"True\n" * 6, b"")
    assert "agent" not in gaps and left == ()


_TIMED_OUT = """
import os, signal, time
class Late(Exception):
    pass
def late(*_):
    raise Late
signal.signal(signal.SIGALRM, late)
caught = 0
for _ in range(40):
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    try:
        while True:
            os.urandom(2), time.time()
    except Late:
        caught += 1
print(caught)
"""


def test_exceptions_of_signal_handlers_go_through(recorder: AgentRecorder) -> None:
    done, sealed, gaps = recorder.record(sys.executable, "-c", _TIMED_OUT)
    assert (done.stdout, done.stderr) == (b"40\n", b"") and "agent" not in gaps
    again, _ = recorder.play(sealed, sys.executable, "-c", _TIMED_OUT)
    assert (again.stdout, again.stderr) == (b"40\n", b"")


def test_tapes_of_the_shim_are_not_for_the_agent(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(inject.SWITCH)
    if inject.shim() is None:
        pytest.skip("this installation has no shim")
    (project / "main.py").write_text("import random; print(random.random())")
    python = environment_of(OWN, tmp_path / "venv")
    freeze(project, python, "python", "main.py")
    monkeypatch.setenv(inject.SWITCH, "off")
    run = workflow.replay(project, engine="local")
    assert run.exit_status == 0
    assert any("no shim, which plays tapes that a shim recorded" in note for note in run.notes)


def test_a_run_that_asks_for_nothing_but_its_number(project: Path, tmp_path: Path) -> None:
    (project / "main.py").write_text("import os; print(os.getpid())")
    taped(project, environment_of(OWN, tmp_path / "venv"), "python", "main.py")
    run = workflow.replay(project, engine="local")
    assert run.comparison and run.comparison.verdict == "identical"


def test_tapes_of_the_agent_are_played_by_it_where_there_is_a_shim(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "main.py").write_text(
        "import random, time; print(random.random(), time.time(), {'a', 'b', 'c'})"
    )
    lock = taped(project, environment_of(OWN, tmp_path / "venv"), "python", "main.py")
    assert any("libraries in C" in gap.what for gap in lock.gaps)
    monkeypatch.delenv(inject.SWITCH)
    run = workflow.replay(project, engine="local")
    assert run.comparison and run.comparison.verdict == "identical" and run.left_tape == ()
    shutil.rmtree(project / ".envfreeze/tapes")
    run = workflow.replay(project, engine="local")
    assert [setting.value for setting in run.settings if setting.variable == "PYTHONHASHSEED"] == [
        setting.value for setting in lock.run.settings if setting.variable == "PYTHONHASHSEED"
    ]

"""The profile strict: two freezes of a program without a seed make the same, and a replay too."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from envfreeze import workflow
from envfreeze.determinism import Call, Library, Rule, _force, libraries, settings_at_freeze
from envfreeze.errors import InputError
from envfreeze.observer import inject
from envfreeze.records.environment import Interpreter, Package
from envfreeze.records.lock import Lock
from envfreeze.records.settings import Setting
from envfreeze.store import Store

needs_shim = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")
ENGINES = [pytest.param("local"), pytest.param("docker", marks=pytest.mark.engine)]

UNSEEDED = """
    import asyncio, datetime, os, queue, random, secrets, subprocess, sys, tempfile, threading, time, uuid
    print(random.random(), secrets.token_hex(), os.urandom(3), uuid.uuid4(), {"a", "b", "c", "d"})
    print(datetime.datetime.now(), time.time(), time.perf_counter(), time.process_time(), flush=True)
    began = time.perf_counter()
    time.sleep(0.1)
    slept = time.perf_counter() - began
    try:
        queue.Queue().get(timeout=0.05)
    except queue.Empty:
        print(slept >= 0.1, slept, time.perf_counter() - began)
    async def main():
        began = time.monotonic()
        await asyncio.sleep(0.05)
        print(time.monotonic() - began)
    asyncio.run(main())
    def work():
        for _ in range(1000): time.time()
        lines.append((time.time(), random.Random().random()))
    lines = []
    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    print(lines, flush=True)
    code = "import random, time; print(random.random(), time.time(), hash('a'))"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code])
    subprocess.run("date +%s%N", shell=True)
    if os.fork() == 0:
        print(random.Random().random(), time.time(), flush=True)
        os._exit(0)
    os.wait()
    """


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def freeze(project: Path, code: str, python: Path, **options: object) -> Lock:
    (project / "main.py").write_text(textwrap.dedent(code))
    lock = workflow.freeze(
        [str(python), "main.py"],
        project=project,
        directory=project,
        prove=False,
        dockerfile=False,
        passthrough=(2, 2),
        **options,  # type: ignore[arg-type]
    )
    assert lock.run is not None and lock.run.exit_status == 0
    return lock


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin/python"


def outputs(lock: Lock) -> str:
    assert lock.run is not None
    return lock.run.stdout.sha256


@needs_shim
def test_two_strict_freezes_make_the_same_and_another_seed_another(project: Path, python: Path) -> None:
    first = freeze(project, UNSEEDED, python, profile="strict")
    shutil.rmtree(project / ".envfreeze")
    second = freeze(project, UNSEEDED, python, profile="strict")
    other = freeze(project, UNSEEDED, python, profile="strict", seed=1)
    assert outputs(first) == outputs(second) != outputs(other)
    assert first.run is not None and first.run.tapes is None and first.run.seed == 0
    assert other.run is not None and (other.run.profile, other.run.seed) == ("strict", 1)


@needs_shim
@pytest.mark.parametrize("engine", ENGINES)
def test_a_replay_of_a_strict_run_is_strict(project: Path, python: Path, engine: str) -> None:
    freeze(project, UNSEEDED, python, profile="strict", seed=5)
    run = workflow.replay(project, engine=engine)
    assert isinstance(run.comparison, msgspec.Struct) and run.comparison.verdict == "identical"
    assert (run.profile, run.seed) == ("strict", 5)
    settings = {setting.variable: setting for setting in run.settings}
    assert settings["PYTHONHASHSEED"].in_force == "yes" and settings["PYTHONHASHSEED"].found == "0"
    assert settings["random.seed"].in_force == "yes"


@needs_shim
def test_a_replay_under_another_seed_runs_the_command_under_it(project: Path, python: Path) -> None:
    freeze(project, "import random; print(random.random())", python)
    runs = [workflow.replay(project, engine="local", seed=seed) for seed in (3, 3, 4)]
    assert [(run.profile, run.seed) for run in runs] == [("strict", 3), ("strict", 3), ("strict", 4)]
    assert runs[0].stdout == runs[1].stdout != runs[2].stdout


@needs_shim
def test_children_with_an_empty_environment_have_the_seed(project: Path, python: Path) -> None:
    code = """
        import subprocess, sys
        command = [sys.executable, "-c", "import random; print(random.random())"]
        print(subprocess.run(command, env={}, capture_output=True).stdout)
        """
    freeze(project, code, python)
    first, again, other = (workflow.replay(project, engine="local", seed=seed) for seed in (3, 3, 4))
    assert first.stdout == again.stdout != other.stdout


def test_the_profile_off_sets_nothing_at_the_replay(project: Path, python: Path) -> None:
    code = "import os; print(os.environ.get('PYTHONHASHSEED'), os.environ.get('ENVFREEZE_TAPE'))"
    freeze(project, code, python, profile="off")
    run = workflow.replay(project, engine="local", profile="off")
    assert run.settings == () and run.profile == "off"
    assert (Path(run.folder) / "stdout").read_text() == "None None\n"


def test_a_seed_without_the_profile_strict_is_refused(project: Path, python: Path) -> None:
    with pytest.raises(InputError, match="has no seed"):
        freeze(project, "", python, seed=1)
    freeze(project, "", python)
    with pytest.raises(InputError, match="has no seed"):
        workflow.replay(project, engine="local", profile="off", seed=1)


def test_calls_are_made_after_the_import_in_children_too_and_read_back(project: Path, python: Path) -> None:
    """A stand-in for torch: what is asked of it, in which processes, and what it says at the end."""
    (project / "torch.py").write_text(
        textwrap.dedent(
            """
            import types
            def manual_seed(seed): print("seeded", seed, flush=True)
            state = [False]
            def use_deterministic_algorithms(mode, warn_only): state[0] = mode and warn_only
            def are_deterministic_algorithms_enabled(): return state[0]
            class backends:
                class cudnn:
                    deterministic, benchmark = False, True
            """
        )
    )
    code = """
        import subprocess, sys, torch
        print(torch.backends.cudnn.deterministic, torch.state, flush=True)
        if len(sys.argv) == 1:
            subprocess.run([sys.executable, "main.py", "child"])
            torch.backends.cudnn.benchmark = True
    """
    lock = freeze(project, code, python, profile="strict", seed=7)
    assert lock.run is not None
    printed = (Store(project).root / "objects").rglob(lock.run.stdout.sha256[2:])
    assert next(printed).read_text() == "seeded 7\nTrue [True]\n" * 2
    found = {setting.variable: (setting.in_force, setting.found) for setting in lock.run.settings}
    assert found["torch.manual_seed"] == ("yes", "called")
    assert found["torch.use_deterministic_algorithms"] == ("yes", "true")
    assert found["torch.backends.cudnn.benchmark"] == ("no", "true at the end")
    assert found["tensorflow.random.set_seed"][0] == "not loaded"
    assert any("torch.backends.cudnn.benchmark=false was not in force" in gap.why for gap in lock.gaps)


def test_an_unknown_call_or_argument_is_reported_and_nothing_else_happens(tmp_path: Path) -> None:
    def asked(name: str, value: str) -> _force.Said:
        folder = tmp_path / value[:5]
        folder.mkdir()
        setting = Setting(variable=name, value=value, library="x", why="", source="", kind="call")
        environment = inject.inject({}, folder=folder, project=tmp_path, settings=(setting,))
        done = subprocess.run(
            [sys.executable, "-c", "import random; print('end')"], env=environment, capture_output=True
        )
        assert (done.stdout, done.stderr) == (b"end\n", b"")
        return _force.read(inject.notes_folder(folder))

    states = asked("os.system", "touch /tmp/x").states
    assert states[("call", "os.system")] == [("no", "this version of envfreeze does not know it")]
    ((state, words),) = asked("random.seed", "1; import os").states[("call", "random.seed")]
    assert state == "no" and "no whole number" in words


def test_a_version_that_does_not_know_a_setting_is_told() -> None:
    lock = Lock(
        envfreeze_lock=1,
        interpreter=Interpreter(implementation="CPython", version="3.11.7"),
        packages=(Package(name="tensorflow", version="2.7.1"), Package(name="numpy", version="1.21")),
    )
    chosen = settings_at_freeze("strict", {})
    (note,) = [text for text in _force.unheeded(chosen, lock) if "op_determinism" in text]
    assert note.endswith("has no effect: tensorflow 2.7.1 knows it only since 2.8")


def test_a_damaged_report_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "settings").write_bytes(b"\xff\x00\n1\tcall\tx\n" + b"1\tcall\tx\tmaybe\ty\n" * 3)
    said = _force.read(tmp_path)
    assert said.states == {} and said.warned == ()


@pytest.mark.parametrize("library", libraries(), ids=lambda library: library.name)
def test_every_rule_says_what_it_does_and_who_says_so(library: Library) -> None:
    rules: list[Rule | Call] = [*library.rules, *library.calls]
    assert rules or library.advice
    for rule in rules:
        assert rule.source.startswith("https://") and len(rule.effect) > 20


def test_the_agent_knows_every_call_of_the_rules() -> None:
    text = (inject.AGENT / "envfreeze_settings_calls.py").read_text()
    for library in libraries():
        for call in library.calls:
            assert f'"{call.call}": Call(' in text

"""What tapes do whoever writes and plays them: the shim, or the agent alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envfreeze.observer import inject, tapes
from envfreeze.report._tapes import first_hint

from ._recorder import AgentRecorder, Recorder

needs_shim = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")


@pytest.fixture(
    params=[pytest.param(Recorder, marks=needs_shim, id="shim"), pytest.param(AgentRecorder, id="agent")]
)
def recorder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    if request.param is AgentRecorder:
        monkeypatch.setenv(inject.SWITCH, "off")
    made: Recorder = request.param(tmp_path)
    return made


_DRAWS = "import os\nfor size in ({}):\n    print(os.urandom(size))\n"
_THREADS = """import os, threading
def draw():
    print(os.urandom(4))
for _ in range({}):
    thread = threading.Thread(target=draw)
    thread.start(), thread.join()
"""


@pytest.mark.parametrize(
    ("recorded", "altered", "thread", "taken", "why"),
    [
        pytest.param(
            _DRAWS.format("4, 4"), _DRAWS.format("4, 4, 4"), "0", 2, "after the last of the tape", id="more"
        ),
        pytest.param(
            _DRAWS.format("4, 8, 4"), _DRAWS.format("4, 4, 8"), "0", 1, "another number of bytes", id="order"
        ),
        pytest.param(
            _THREADS.format(2), _THREADS.format(3), "0.2", 0, "after the last of the tape", id="thread"
        ),
    ],
)
def test_the_first_place_off_the_tape_is_named(
    recorded: str, altered: str, thread: str, taken: int, why: str, recorder: Recorder, tmp_path: Path
) -> None:
    """By process, source and line; what is given from there on is the same in every replay."""
    script = tmp_path / "main.py"
    script.write_text(recorded)
    done, sealed, _ = recorder.record(sys.executable, str(script))
    assert recorder.play(sealed, sys.executable, str(script))[1] == ()
    script.write_text(altered)
    again, left = recorder.play(sealed, sys.executable, str(script))
    assert again.returncode == 0 and again.stderr == b""
    assert again.stdout.splitlines()[:taken] == done.stdout.splitlines()[:taken]
    first = left[0]
    assert (first.source, first.thread, first.taken, first.line) == (
        "randomness",
        thread,
        taken,
        f"{script}:3",
    )
    assert why in first.why and str(script) in first.process
    assert f"{script}:3 asked for randomness" in str(first_hint(left))
    assert recorder.play(sealed, sys.executable, str(script))[0].stdout == again.stdout


@pytest.mark.parametrize(
    ("recorded", "altered", "thread", "taken", "more"),
    [
        pytest.param(_DRAWS.format("4, 8, 4, 2"), _DRAWS.format("4, 8"), "0", 2, 2, id="fewer"),
        pytest.param(_DRAWS.format("4, 8"), "print(1)", "0", 0, 2, id="none"),
        pytest.param(_THREADS.format(3), _THREADS.format(2), "0.2", 0, 1, id="thread"),
    ],
)
def test_a_replay_that_ends_early_names_where_the_recorded_run_went_on(
    recorded: str, altered: str, thread: str, taken: int, more: int, recorder: Recorder, tmp_path: Path
) -> None:
    """It has the recorded values until then."""
    script = tmp_path / "main.py"
    script.write_text(recorded)
    done, sealed, _ = recorder.record(sys.executable, str(script))
    assert recorder.play(sealed, sys.executable, str(script))[1] == ()
    script.write_text(altered)
    again, left = recorder.play(sealed, sys.executable, str(script))
    assert again.returncode == 0 and again.stderr == b""
    assert again.stdout.splitlines()[:taken] == done.stdout.splitlines()[:taken]
    (first,) = left
    assert "went on" in first.why
    assert (first.source, first.thread, first.taken, first.more) == ("randomness", thread, taken, more)
    assert first.site.startswith("randomness in main.py:") and str(script) in first.process
    times = "once" if more == 1 else f"{more} times"
    assert f"the recorded run went on: it asked {times} more at {first.site}" in str(first_hint(left))


_CHILDREN = """import subprocess, sys
for _ in range({}):
    subprocess.run([sys.executable, "-c", "import random; print(random.random())"])
"""


def test_a_program_that_a_replay_does_not_start_is_told(recorder: Recorder, tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(_CHILDREN.format(2))
    _, sealed, _ = recorder.record(sys.executable, str(script))
    assert recorder.play(sealed, sys.executable, str(script))[1] == ()
    script.write_text(_CHILDREN.format(1))
    again, left = recorder.play(sealed, sys.executable, str(script))
    assert again.returncode == 0
    assert "started a program or a worker that this one did not" in str(first_hint(left))


def test_a_killed_process_keeps_its_tape(recorder: Recorder) -> None:
    code = "import os, random; os.write(1, str(random.random()).encode()); os.kill(os.getpid(), 9)"
    done, sealed, _ = recorder.record(sys.executable, "-c", code)
    assert done.returncode == -9 and done.stdout
    again, left = recorder.play(sealed, sys.executable, "-c", code)
    assert again.stdout == done.stdout and left == ()


def test_a_limit_ends_the_recording_and_nothing_else(recorder: Recorder) -> None:
    code = "import os\nfor _ in range(3000): os.urandom(32)\nprint('done')"
    done, sealed, gaps = recorder.record(sys.executable, "-c", code, limit=20_000)
    assert done.stdout == b"done\n" and done.stderr == b""
    assert not sealed.complete and "--tape-limit" in gaps
    assert sum(path.stat().st_size for path in recorder.folder.glob(".envfreeze/tapes/*/*.tape")) <= 20_000
    again, left = recorder.play(sealed, sys.executable, "-c", code)
    assert again.stdout == b"done\n" and left


def test_a_hostile_tape_harms_nobody(recorder: Recorder) -> None:
    command = sys.executable, "-c", "import random, time; print(random.random() < 1, time.time() != 0)"
    _, sealed, _ = recorder.record(*command)
    folder, _ = tapes.find(recorder.store, sealed)
    assert folder is not None
    (path,) = folder.glob("*.tape")
    whole = path.read_bytes()
    state = recorder.folder / "hostile"
    state.mkdir()
    told = {"ENVFREEZE_TAPE": "replay", "ENVFREEZE_TAPES": str(folder), "ENVFREEZE_TAPE_STATE": str(state)}
    for at in range(0, 200, 7):
        path.write_bytes(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
        done = recorder._run(told | tapes.first_process(), *command)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"True True\n", b""), at

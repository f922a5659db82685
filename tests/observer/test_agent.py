"""The agent changes nothing: same output, same status, on every Python, even when it fails itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze.observer import inject

PROBE = """
import sys
print(sys.path, "sitecustomize" in sys.modules, "envfreeze_agent" in sys.modules)
print(open("data").read())
open("out", "w").write("x")
try:
    open("missing")
except EnvironmentError as error:
    print(error)
"""


SAME_EVEN_WHEN_NOT_STARTED = PROBE.replace('"sitecustomize" in sys.modules', "''")
"""Only a started agent can hide that there was a ``sitecustomize``."""


def bare(python: str, script: str, project: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [python, script], cwd=project, capture_output=True, env={**os.environ, **variables}, timeout=60
    )


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.12", "3.13", "3.14"])
def test_every_python_runs_as_without_us(watching, project, interpreter, version):
    python = interpreter(version)
    (project / "data").write_text("content")
    script = watching.script(PROBE)
    expected = bare(python, script, project)
    watched = watching(python, script)
    if tuple(map(int, version.split("."))) >= (3, 8):
        assert watching.stdout(watched) == expected.stdout
        assert watched.executable == python
        assert watched.gaps == ()
    else:  # too old to be seen from inside; its sitecustomize module stays visible
        assert watching.stdout(watched).replace(b"True", b"False", 1) == expected.stdout
        assert "did not load the observer" in watched.gaps[0].why
    assert watched.observation.stderr.size == len(expected.stderr) == 0
    assert set(watching.files(watched)) == {"main.py", "data"}
    assert set(watching.outputs(watched)) == {"out"}


@pytest.mark.parametrize(
    "body",
    [
        "import marker; print('own sitecustomize', __name__, __file__)",
        "raise RuntimeError('own')",
        "import not_there",
    ],
)
def test_the_environments_own_sitecustomize_runs(watching, project, tmp_path, body):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/sitecustomize.py").write_text(body)
    (tmp_path / "lib/marker.py").write_text("")
    script = watching.script("import sys; print('sitecustomize' in sys.modules, sys.path)\n")
    expected = bare(sys.executable, script, project, PYTHONPATH=str(tmp_path / "lib"))
    watched = watching(
        sys.executable, script, environment={**os.environ, "PYTHONPATH": str(tmp_path / "lib")}
    )
    assert watching.stdout(watched) == expected.stdout
    stderr = watching.store.path(watched.observation.stderr.sha256).read_bytes()
    assert stderr == expected.stderr
    assert "main.py" in watching.files(watched)


@pytest.fixture
def broken_agent(tmp_path, monkeypatch):
    """A copy of the agent in which one thing fails."""

    def replace(old: str, new: str) -> None:
        copy = tmp_path / "agent"
        shutil.copytree(inject.AGENT, copy)
        texts = {path: path.read_text() for path in copy.glob("envfreeze_agent*.py")}
        ((path, text),) = [item for item in texts.items() if old in item[1]]
        path.write_text(text.replace(old, new, 1))
        monkeypatch.setattr(inject, "AGENT", copy)

    return replace


@pytest.mark.parametrize(
    "place",
    [
        "        path = self.absolute(given)\n        if path is None:",
        "        if path not in self.read:",
        "        if path not in self.written:",
        "        for project in self.projects:",
        "        status = os.fstat(source)",
        "        self.closed = True\n",
        "    found = set()\n    for line in _whole",
        '    folder = os.environ.get("ENVFREEZE_AGENT", "")',
        "        if not self._is_mine():\n            self.open()",
    ],
)
def test_an_agent_that_fails_does_not_show(watching, project, broken_agent, without_shim, place):
    (project / "data").write_text("content")
    script = watching.script(SAME_EVEN_WHEN_NOT_STARTED)
    expected = bare(sys.executable, script, project)
    indent = " " * (len(place) - len(place.lstrip()))
    broken_agent(place, f"{indent}raise ValueError('broken')\n{place}")
    (project / "out").write_text("old")
    watched = watching(sys.executable, script)
    assert watching.stdout(watched) == expected.stdout
    assert watched.observation.stderr.size == 0
    assert watched.observation.exit_status == 0


def test_failures_of_the_agent_are_counted_and_said(watching, broken_agent, without_shim):
    place = "        if path not in self.written:"
    broken_agent(place, f"        raise ValueError('broken')\n{place}")
    watched = watching.python("open('a', 'w'); open('b', 'w')\n")
    assert any("failed 2 times" in gap.why and "broken" in gap.why for gap in watched.gaps)


def test_an_agent_that_cannot_write_does_not_show(watching, project):
    """As under a full disk or in a container of another user."""
    (project / "data").write_text("content")
    script = watching.script(SAME_EVEN_WHEN_NOT_STARTED)
    expected = bare(sys.executable, script, project)
    wrapper = f'rm -rf "$ENVFREEZE_AGENT"; exec {sys.executable} {script}'
    watched = watching("sh", "-c", wrapper)
    assert watching.stdout(watched) == expected.stdout
    assert watched.observation.stderr.size == 0


def test_exceptions_of_signal_handlers_go_through_the_hook(watching, without_shim):
    """A time limit that strikes while the hook runs must still end what it limits."""
    watched = watching.python(
        """
        import signal, os

        class Limit(Exception):
            pass

        def strike(number, frame):
            raise Limit

        signal.signal(signal.SIGALRM, strike)
        struck = 0
        for i in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005)
                j = 0
                while True:
                    j += 1
                    try:
                        open(f"missing-{i}-{j}")
                    except FileNotFoundError:
                        pass
            except Limit:
                struck += 1
        print(struck)
        """
    )
    assert watching.stdout(watched) == b"300\n"


def test_a_program_that_closes_all_descriptors_keeps_its_own(watching, project):
    watched = watching.python(
        """
        import os
        os.closerange(3, 2000)
        own = os.open("own", os.O_WRONLY | os.O_CREAT)
        os.dup2(own, 700)
        open("main.py").read()
        open("other", "w").write("x")
        """
    )
    assert watching.outputs(watched) == {"own": b"", "other": b"x"}


def test_first_descriptors_and_strict_warnings(watching):
    """Programs are given descriptor 3 first; under -bb comparing bytes with text is an error."""
    script = watching.script(
        """
        import os
        open(b"main.py").close(); open("main.py").close(); open(b"main.py").close()
        print(os.open("main.py", os.O_RDONLY))
        """
    )
    watched = watching(sys.executable, "-bb", "-W", "error", script)
    assert watching.stdout(watched) == b"3\n"


def test_events_of_others_that_look_like_ours(watching):
    watched = watching.python(
        """
        import sys
        for arguments in ((), (1,), ("x", None, None), (object(), None, 0)):
            sys.audit("open", *arguments)
            sys.audit("os.rename", *arguments)
        print("fine")
        """
    )
    assert watching.stdout(watched) == b"fine\n"

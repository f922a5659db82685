"""``check`` names the source of chance that a program depends on; each program here has exactly one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from envfreeze import _check_runs, tree
from envfreeze.checking import check
from envfreeze.errors import InputError
from envfreeze.observer import inject

needs_shim = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")

ONE_SOURCE = {
    "hashseed": "open('out', 'w').write(' '.join({'a', 'b', 'c', 'd', 'e', 'f'}))",
    "entropy": "import random; open('out', 'w').write(str(random.random()))",
    "clock": "import time; open('out', 'w').write(str(time.time_ns()))",
    "aslr": "open('out', 'w').write(str(id(object())))",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def write(project: Path, code: str) -> list[str]:
    (project / "main.py").write_text(textwrap.dedent(code))
    return [sys.executable, "main.py"]


@needs_shim
@pytest.mark.parametrize("source", ONE_SOURCE)
def test_the_one_source_is_named(project: Path, source: str) -> None:
    found = check(write(project, ONE_SOURCE[source]), project=project, directory=project)
    assert not found.deterministic and [output.path for output in found.differing] == ["out"]
    assert [item.source for item in found.sources if item.reacts] == [source]
    assert found.agrees_when_held is True


@needs_shim
def test_two_sources_are_both_named(project: Path) -> None:
    code = "import os, time; print(os.urandom(3), time.time_ns())"
    found = check(write(project, code), project=project, directory=project)
    assert [output.path for output in found.differing] == ["<stdout>"]
    assert [item.source for item in found.sources if item.reacts] == ["entropy", "clock"]


@needs_shim
def test_a_race_is_no_source_that_could_be_held(project: Path) -> None:
    code = "import os; open('out', 'w').write(open('/proc/self/stat').read().split()[21] + str(os.getpid()))"
    found = check(write(project, code), project=project, directory=project)
    assert not found.deterministic and found.agrees_when_held is False
    assert not any(item.reacts for item in found.sources)
    assert any("races" in note for note in found.notes)


def test_a_deterministic_program_is_told_so_and_nothing_in_the_project_changes(project: Path) -> None:
    code = """
        import pathlib
        here = pathlib.Path("kept")
        here.write_text(here.read_text() + "more")
        pathlib.Path("new").write_text("new")
        pathlib.Path(ABSOLUTE).write_text("by its absolute path")
    """.replace("ABSOLUTE", repr(str(project / "absolute")))
    (project / "kept").write_text("kept")
    command = write(project, code)
    before = tree.scan(project)
    found = check(command, project=project, directory=project, runs=3)
    assert found.deterministic and found.runs == 3 and found.sources == ()
    if not found.notes:  # without bubblewrap absolute paths lead to the project, which is said
        assert tree.scan(project) == before


@needs_shim
def test_vary_names_what_a_seeded_program_reacts_to(project: Path) -> None:
    code = """
        import os
        print(os.environ.get("OMP_NUM_THREADS"), list({"a", "b", "c", "d", "e", "f"}))
    """
    command = write(project, code)
    environment = {**os.environ, "PYTHONHASHSEED": "5", "OMP_NUM_THREADS": "2"}
    found = check(
        command,
        project=project,
        directory=project,
        environment=environment,
        vary=("hashseed", "clock", "threads"),
    )
    assert found.deterministic
    reacts = {item.source: item.reacts for item in found.sources}
    assert reacts == {"hashseed": True, "clock": False, "threads": True}


@needs_shim
def test_vary_names_the_order_of_folders(project: Path) -> None:
    for name in "abc":
        (project / name).touch()
    command = write(project, "import os; print([name for name in os.listdir('.') if len(name) == 1])")
    found = check(command, project=project, directory=project, vary=("order", "entropy"))
    assert found.deterministic
    assert [item.source for item in found.sources if item.reacts] == ["order"]


def test_the_outputs_are_told_in_the_order_of_writing(project: Path) -> None:
    code = """
        import os, time
        for name in ("z", "a", "m"):
            open(name, "wb").write(os.urandom(8))
            time.sleep(0.02)
        open("same", "w").write("same")
    """
    found = check(write(project, code), project=project, directory=project)
    assert [output.path for output in found.differing] == ["z", "a", "m"]


def test_an_environment_in_the_project_is_not_copied(project: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    write(project, "import sys; print(sys.prefix)")
    found = check([".venv/bin/python", "main.py"], project=project, directory=project)
    assert found.deterministic
    assert _check_runs._copy(project, project.parent / "copy") == [Path(".venv")]


def test_bad_commands_are_refused_in_one_sentence(project: Path) -> None:
    with pytest.raises(InputError, match=r"failed in a copy of the project \(exit status 3\): no"):
        check(write(project, "import sys; print('no', file=sys.stderr); sys.exit(3)"), project=project,
              directory=project)  # fmt: skip
    with pytest.raises(InputError, match="outside of the project"):
        check(["true"], project=project, directory=project.parent)
    with pytest.raises(InputError, match="was not found"):
        check(["no-such-program"], project=project, directory=project)


def test_exit_codes_and_json(project: Path) -> None:
    def envfreeze(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "envfreeze", "check", *arguments]
        return subprocess.run(command, cwd=project, capture_output=True, text=True)

    same = envfreeze("--", *write(project, "print(1)"))
    assert same.returncode == 0 and same.stdout.startswith("deterministic: 2 runs")
    other = envfreeze("--json", "--", *write(project, "import os; print(os.urandom(2))"))
    assert other.returncode == 1 and json.loads(other.stdout)["differing"][0]["path"] == "<stdout>"
    assert envfreeze("--vary", "weather", "--", "true").returncode == 2
    assert envfreeze("true").returncode == 2

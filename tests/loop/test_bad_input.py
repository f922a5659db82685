"""Bad input: one sentence, the right exit code, and nothing half-written."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from envfreeze.records.environment import SystemPackage
from envfreeze.records.files import FileEntry, Gap
from envfreeze.records.lock import Lock

from ._hostile import Index, change, copied, freeze_project, refused, traces, with_package, with_run
from .conftest import ENGINES, run


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory, bare_environment: Path) -> Path:
    return freeze_project(tmp_path_factory.mktemp("bad") / "project", bare_environment)


@pytest.fixture
def index() -> Iterator[Index]:
    served = Index()
    yield served
    served.close()


@pytest.fixture
def spoiled(frozen: Path, tmp_path: Path) -> Path:
    """A copy of a frozen project."""
    return copied(frozen, tmp_path / "project")


COMMANDS = [("show",), ("build", "--engine", "local"), ("replay", "--engine", "local")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_lock(tmp_path: Path, command: tuple[str, ...]) -> None:
    refused(run(*command, cwd=tmp_path), 2, "there is no", "envfreeze.lock", "envfreeze freeze -- python")
    assert list(tmp_path.iterdir()) == []


def truncated(text: str) -> str:
    return text[: text.index("entries:") + 30]


def bomb(text: str) -> str:
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60))]
    return text + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: "", ("is not an envfreeze lock",)),
        (truncated, ("envfreeze.lock line", "Restore the file")),
        (lambda text: text.replace("processes: 1", "processes: one"), ("run.processes", "line ")),
        (
            lambda text: text.replace("envfreeze_lock: 1", "envfreeze_lock: 9"),
            ("newer envfreeze", "pip install"),
        ),
        (lambda text: text + "gaps: !!python/object/apply:os.system [touch owned]\n", ("tag", "not allowed")),
        (bomb, ("anchors and aliases",)),
    ],
    ids=["empty", "truncated", "hand-edited", "newer", "python tag", "bomb"],
)
def test_an_unusable_lock(spoiled: Path, spoil: Callable[[str], str], words: tuple[str, ...]) -> None:
    lock = spoiled / "envfreeze.lock"
    lock.write_text(spoil(lock.read_text()))
    before = traces(spoiled)
    for command in COMMANDS:
        refused(run(*command, cwd=spoiled), 2, *words)
    assert traces(spoiled) == before
    assert not (spoiled / "owned").exists()


def test_a_lock_that_is_no_file_at_all(spoiled: Path) -> None:
    lock = spoiled / "envfreeze.lock"
    lock.write_bytes(os.urandom(4096))
    refused(run("replay", cwd=spoiled), 2, "not UTF-8 text")
    lock.unlink()
    lock.mkdir()
    refused(run("replay", cwd=spoiled), 2, "is a folder")
    freeze = run("freeze", "--offline", "--", "python", "-c", "open('ran', 'w')", cwd=spoiled)
    refused(freeze, 2, "is a folder", "Move that folder away")
    assert not (spoiled / "ran").exists(), "an hour of training is not begun when its lock cannot be written"
    lock.rmdir()
    os.mkfifo(lock)
    refused(run("show", cwd=spoiled), 2, "no regular file")


def test_a_command_that_does_not_exist_leaves_nothing_behind(tmp_path: Path, spoiled: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(run("freeze", "--", "no-such-program", cwd=empty), 2, "'no-such-program' was not found")
    refused(run("freeze", "--", "./train.py", cwd=empty), 2, "does not exist")
    assert list(empty.iterdir()) == []
    before = (spoiled / "envfreeze.lock").read_bytes()
    refused(run("freeze", "--", "no-such-program", cwd=spoiled), 2)
    assert (spoiled / "envfreeze.lock").read_bytes() == before


def test_folders_that_do_not_exist(spoiled: Path) -> None:
    refused(run("freeze", "--project", "nowhere", "--", "true", cwd=spoiled), 2, "nowhere", "does not exist")
    refused(run("replay", "--code", "nowhere", cwd=spoiled), 2, "--code nowhere")
    refused(run("diff", "nowhere", "neither", cwd=spoiled), 2, "nowhere")
    refused(run("diff", "hold.py", ".", cwd=spoiled), 2, "is a file", "is a folder")
    assert not (spoiled / "nowhere").exists()


PINNED = {"name": "six", "version": "99.99.99", "file": "six-99.99.99-py3-none-any.whl"}


def test_a_pinned_version_that_no_index_has(spoiled: Path, index: Index) -> None:
    index.page = '<a href="six-1.0.0-py3-none-any.whl">six-1.0.0-py3-none-any.whl</a>'
    change(spoiled, with_package(**PINNED, index=index.url))
    done = run("build", "--engine", "local", cwd=spoiled)
    refused(done, 2, "no package index has", "six==99.99.99")
    assert traces(spoiled) == []


@pytest.mark.index
@pytest.mark.engine
def test_a_pinned_version_that_no_index_has_in_an_image(spoiled: Path) -> None:
    change(spoiled, with_package(**PINNED))
    done = run("build", "--engine", "docker", cwd=spoiled)
    refused(done, 2, "no package index has", "six==99.99.99")
    assert traces(spoiled) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_damaged_store(spoiled: Path, engine: str) -> None:
    objects = [
        path for path in (spoiled / ".envfreeze" / "objects").glob("*/*") if b"sleep" in path.read_bytes()
    ]
    assert len(objects) == 1
    objects[0].chmod(0o644)
    objects[0].write_bytes(objects[0].read_bytes() + b"print('tampered')\n")
    done = run("replay", "--engine", engine, cwd=spoiled)
    refused(done, 2, "hold.py is damaged in the store", "does not match its digest")
    assert "tampered" not in done.stdout
    assert not [trace for trace in traces(spoiled) if trace.startswith(("tmp", "runs"))]
    objects[0].unlink()
    (spoiled / "hold.py").unlink()
    refused(run("replay", "--engine", engine, cwd=spoiled), 2, "hold.py is neither in")


def test_a_damaged_original_output_is_not_called_reproduced(spoiled: Path) -> None:
    for path in (spoiled / ".envfreeze" / "objects").glob("*/*"):
        if path.read_bytes() == b"early":
            path.chmod(0o644)
            path.write_bytes(b"late")
    done = run("replay", "--engine", "local", "--json", cwd=spoiled)
    assert done.returncode == 1
    assert {o["path"]: o["verdict"] for o in done.json["outputs"]}["out/early.txt"] == "uncompared"


# What a stranger may write into a lock.

HOSTILE = "\x1b[2J\x1b]0;owned\x07"


def test_escape_sequences_of_a_lock_do_not_reach_the_terminal(spoiled: Path) -> None:
    def edit(lock: Lock) -> Lock:
        lock = with_package(name=f"x{HOSTILE}")(lock)
        lock = with_run(command=("python", f"-c{HOSTILE}"), environment={f"OMP_{HOSTILE}": HOSTILE})(lock)
        system = msgspec.structs.replace(
            lock.system,
            kernel=HOSTILE,
            packages=(SystemPackage(name=HOSTILE, version=HOSTILE, manager="dpkg"),),
        )
        interpreter = msgspec.structs.replace(lock.interpreter, build=HOSTILE, executable=HOSTILE)
        gaps = (Gap(what=HOSTILE, why=HOSTILE),)
        return msgspec.structs.replace(lock, system=system, interpreter=interpreter, gaps=gaps)

    change(spoiled, edit)
    for command in (("show",), ("show", "--json"), ("build", "--engine", "local"), ("replay", "-v")):
        done = run(*command, cwd=spoiled, env={"FORCE_COLOR": ""})
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout + done.stderr), command
    assert "owned" in run("show", cwd=spoiled).stdout


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "edit",
    [
        with_package(name="x\n--index-url http://evil.invalid/"),
        with_package(version="1\n--extra-index-url http://evil.invalid/"),
        with_package(index="http://evil.invalid/\n--trusted-host evil.invalid"),
        with_package(source="url", url="http://evil.invalid/x.whl --no-deps\n-r /etc/passwd"),
        with_package(vendored=True, file="../../../x-1-py3-none-any.whl", name="x"),
        lambda lock: msgspec.structs.replace(
            lock, base=msgspec.structs.replace(lock.base, reference="python:3.11-slim\nRUN evil")
        ),
    ],
    ids=["name", "version", "index", "url", "file", "base"],
)
def test_nothing_of_a_lock_becomes_an_option_or_an_instruction(
    spoiled: Path, edit: Callable[[Lock], Lock], engine: str
) -> None:
    change(spoiled, edit)
    refused(run("build", "--engine", engine, cwd=spoiled), 2)
    assert traces(spoiled) == []


def test_paths_that_climb_out_are_refused(spoiled: Path) -> None:
    lock = spoiled / "envfreeze.lock"
    text = lock.read_text()
    for old, new in (
        ("path: out/early.txt", "path: ../../early.txt"),
        ("path: hold.py", "path: out/../../hold.py"),
        ("  - out\n", "  - ../out\n"),
        (f"directory: {_of(text, 'directory')}", "directory: /tmp/../etc"),
        (f"project: {_of(text, 'project')}", "project: here"),
    ):
        assert old in text
        lock.write_text(text.replace(old, new))
        refused(run("replay", "--engine", "local", cwd=spoiled), 2, "envfreeze.lock line")


def _of(text: str, field: str) -> str:
    found = re.search(rf"^  {field}: (.*)$", text, re.MULTILINE)
    assert found
    return found[1]


WRITES = "import sys\nopen('owned-by-a-replay', 'w').write('x')\nopen(sys.argv[1], 'w').write('x')\n"


@pytest.mark.parametrize("machine", ["isolating", "bare"])
def test_the_local_engine_writes_nowhere_but_in_its_workspace(
    tmp_path: Path, bare_environment: Path, machine: str
) -> None:
    """Not even where bubblewrap and namespaces are missing does a lock choose where relative paths lead."""
    victim, project = tmp_path / "victim", tmp_path / "project"
    victim.mkdir()
    project.mkdir()
    (project / "writes.py").write_text(WRITES)
    freeze = ("freeze", "--offline", "-q", "--", "python", "writes.py", "plain")
    run(*freeze, cwd=project, path=[bare_environment])
    env = {} if machine == "isolating" else {"PATH": str(_without_sandbox(tmp_path))}
    for place in ("/etc", "/", str(victim)):
        for home in (place, str(project)):
            command = ("python", "writes.py" if home == place else f"{project}/writes.py", "plain")
            change(project, with_run(directory=place, project=home, folders=(), command=command))
            done = run("replay", "--engine", "local", "--json", cwd=project, env=env)
            assert done.returncode in (0, 1), done.stderr
            kept_apart = any("file system" in word for word in done.json["run"]["isolated"])
            warned = "keeps the command from this machine's other files" in done.stderr
            assert warned != kept_apart
            assert not Path(place, "owned-by-a-replay").exists()
            assert not Path(place, "plain").exists()


def _without_sandbox(folder: Path) -> Path:
    """A PATH without bwrap and unshare."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("sh", "env", "true", "ip"):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    return programs


@pytest.mark.parametrize("engine", ENGINES)
def test_links_and_outside_files_of_a_lock_lead_nowhere(spoiled: Path, tmp_path: Path, engine: str) -> None:
    """A link of the project to a folder of the victim, and a file recorded to lie in it."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "notes.txt").write_text("mine")

    def edit(lock: Lock) -> Lock:
        assert lock.run is not None
        entry = lock.run.files.entries[0]
        evil = (
            FileEntry(path="trap", link=str(victim)),
            msgspec.structs.replace(entry, path="trap/notes.txt"),
            msgspec.structs.replace(entry, path=f"{victim}/planted.txt"),
        )
        files = msgspec.structs.replace(lock.run.files, entries=(*lock.run.files.entries, *evil))
        return with_run(files=files)(lock)

    change(spoiled, edit)
    done = run("replay", "--engine", engine, cwd=spoiled)
    if engine == "local":
        refused(done, 2, "in its way")
    assert [path.name for path in victim.iterdir()] == ["notes.txt"]
    assert (victim / "notes.txt").read_text() == "mine"


def test_failures_as_json_are_one_object(spoiled: Path) -> None:
    done = run("replay", "--engine", "nowhere", "--json", cwd=spoiled)
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["exit_code"] == 2 and "'nowhere'" in error["sentence"]

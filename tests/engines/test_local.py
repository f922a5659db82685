from __future__ import annotations

import base64
import hashlib
import os
import platform
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from envfreeze.engines import Engine, _local_install, _local_isolation, _local_sandbox
from envfreeze.engines.local import ENGINE
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.progress import Silent
from envfreeze.records.files import FileEntry
from envfreeze.records.recipe import BaseImage, Recipe, VendoredWheel
from envfreeze.records.run import Image, Job, JobResult, Limits
from envfreeze.store import Store

needs_bubblewrap = pytest.mark.skipif(
    not _local_sandbox.best().startswith("bubblewrap"), reason="bubblewrap does not work on this machine"
)


def command_lines() -> str:
    """Of all processes of this machine."""
    return "\n".join(" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))


def make_wheel(folder: Path) -> Path:
    """A package with a local version, a module and a command, as no index has it."""
    info = "greeting-1.0+local.dist-info"
    files = {
        "greeting.py": "def main():\n    print('hello')\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0+local\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ngreet = greeting:main\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    path = folder / "greeting-1.0+local-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


def recipe_for(requirements: str, *wheels: VendoredWheel, python: str = platform.python_version()) -> Recipe:
    return Recipe(
        base=BaseImage(reference=f"python:{python}-slim"),
        python=python,
        dockerfile="",
        dockerfile_buildkit="",
        requirements=requirements,
        wheels=wheels,
        environment_id=hashlib.sha256(f"{requirements}{wheels}{python}".encode()).hexdigest(),
    )


def greeting_recipe(store: Store, folder: Path) -> Recipe:
    wheel = make_wheel(folder)
    digest, _ = store.add_file(wheel)
    return recipe_for(
        f"greeting==1.0+local --hash=sha256:{digest}\n", VendoredWheel(file=wheel.name, sha256=digest)
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Image, Recipe]:
    folder = tmp_path_factory.mktemp("built")
    store = Store(folder / "project")
    recipe = greeting_recipe(store, folder)
    return store, ENGINE.build(recipe, store, progress=Silent()), recipe


class Runner:
    """Runs Python code, or a command, as a job of a project at ``project``."""

    def __init__(self, built: tuple[Store, Image, Recipe], folder: Path) -> None:
        self.store, self.image, _ = built
        self.folder = folder
        self.project = "/home/alice/study"

    def __call__(
        self,
        code: str = "",
        *,
        command: tuple[str, ...] = (),
        files: tuple[FileEntry, ...] = (),
        environment: dict[str, str] | None = None,
        writable: tuple[str, ...] = (),
        limits: Limits | None = None,
        network: bool = False,
        directory: str | None = None,
    ) -> JobResult:
        script = FileEntry(path="train.py", sha256=self.store.add_bytes(code.encode()))
        job = Job(
            command=command or ("python", "train.py"),
            directory=directory or self.project,
            project=self.project,
            files=(script, *files),
            environment=environment or {},
            writable=writable,
            limits=limits or Limits(),
            network=network,
        )
        self.folder.mkdir(exist_ok=True)
        return ENGINE.run(self.image, job, self.store, self.folder, progress=Silent())

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def output(self, path: str) -> bytes:
        return (self.folder / "outputs" / path).read_bytes()


@pytest.fixture
def run(built: tuple[Store, Image, Recipe], tmp_path: Path) -> Runner:
    return Runner(built, tmp_path / "run")


def test_it_is_an_engine_that_works_everywhere() -> None:
    assert isinstance(ENGINE, Engine)
    assert ENGINE.check().state in {"ok", "warning"}
    assert ENGINE.base_exists("python:3.11-slim") is None


def test_an_unchanged_recipe_needs_no_second_build(built: tuple[Store, Image, Recipe]) -> None:
    store, image, recipe = built
    again = ENGINE.build(recipe, store, progress=Silent())
    assert image.built and not again.built
    assert again.reference == image.reference


def test_an_environment_that_was_moved_or_left_half_made_is_made_anew(tmp_path: Path) -> None:
    store = Store(tmp_path / "project")
    recipe = greeting_recipe(store, tmp_path)
    image = ENGINE.build(recipe, store, progress=Silent())
    (Path(image.reference) / "envfreeze.json").unlink()
    assert ENGINE.build(recipe, store, progress=Silent()).built
    (tmp_path / "project").rename(tmp_path / "elsewhere")
    moved = ENGINE.build(recipe, Store(tmp_path / "elsewhere"), progress=Silent())
    assert moved.built
    greeting = subprocess.run([f"{moved.reference}/bin/greet"], capture_output=True, text=True, check=True)
    assert greeting.stdout == "hello\n"


def test_an_environment_that_came_with_a_copy_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's .envfreeze may bring programs of its own under the right name."""
    store = Store(tmp_path / "project")
    recipe = recipe_for("")
    first = ENGINE.build(recipe, store, progress=Silent())
    marker = Path(first.reference) / "planted"
    marker.touch()
    assert ENGINE.build(recipe, store, progress=Silent()).built is False
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another user's cache"))
    assert ENGINE.build(recipe, store, progress=Silent()).built is True
    assert not marker.exists()


def test_pip_does_it_where_uv_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_local_install, "find_uv", lambda: None)
    store = Store(tmp_path / "project")
    image = ENGINE.build(greeting_recipe(store, tmp_path), store, progress=Silent())
    greeting = subprocess.run([f"{image.reference}/bin/greet"], capture_output=True, text=True, check=True)
    assert greeting.stdout == "hello\n"


def test_another_content_than_recorded_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    store = Store(tmp_path / "project")
    wheel = make_wheel(tmp_path)
    digest, _ = store.add_file(wheel)
    wrong = recipe_for(
        f"greeting==1.0+local --hash=sha256:{'0' * 64}\n", VendoredWheel(file=wheel.name, sha256=digest)
    )
    with pytest.raises(InputError, match=r"does not have the content that the lock records: greeting"):
        ENGINE.build(wrong, store, progress=Silent())
    assert [path for path in (store.root / "environments").iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("name", ["../evil.whl", "/tmp/evil.whl", "-evil.whl", "a\nb.whl"])
def test_a_vendored_file_cannot_be_named_out_of_its_folder(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "project")
    digest = store.add_bytes(b"x")
    with pytest.raises(InputError, match="no file name of a package"):
        ENGINE.build(recipe_for("", VendoredWheel(file=name, sha256=digest)), store, progress=Silent())


def test_another_patch_release_is_noted(tmp_path: Path) -> None:
    minor = ".".join(platform.python_version_tuple()[:2])
    image = ENGINE.build(recipe_for("", python=f"{minor}.99"), Store(tmp_path), progress=Silent())
    assert image.notes[0].endswith(f"instead of {minor}.99")


def test_two_builds_at_once_make_one_environment(tmp_path: Path) -> None:
    store = Store(tmp_path / "project")
    recipe = greeting_recipe(store, tmp_path)
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(lambda _: ENGINE.build(recipe, store, progress=Silent()), range(2)))
    assert sorted(image.built for image in images) == [False, True]


def test_a_disk_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "project").write_text("a file where the folder should be")
    with pytest.raises(EnvironmentFailure, match="the environment cannot be made"):
        ENGINE.build(recipe_for(""), Store(tmp_path / "project"), progress=Silent())


def test_a_missing_python_is_explained(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"no Python 3\.99"):
        ENGINE.build(recipe_for("", python="3.99.0"), Store(tmp_path), progress=Silent())


@pytest.mark.index
def test_packages_come_from_the_index_and_a_missing_version_is_explained(tmp_path: Path) -> None:
    store = Store(tmp_path)
    six = "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"
    image = ENGINE.build(recipe_for(f"six==1.16.0 --hash=sha256:{six}\n"), store, progress=Silent())
    code = "import six; print(six.__version__)"
    shown = subprocess.run([f"{image.reference}/bin/python", "-c", code], capture_output=True, text=True)
    assert shown.stdout == "1.16.0\n"
    with pytest.raises(InputError, match=r"no package index has what the lock pins: six==99\.0"):
        ENGINE.build(recipe_for(f"six==99.0 --hash=sha256:{six}\n"), store, progress=Silent())


def test_a_run_gives_streams_outputs_and_status(run: Runner) -> None:
    data = FileEntry(path="data/x.txt", sha256=run.store.add_bytes(b"input"))
    result = run(
        "import os, sys, greeting\n"
        "greeting.main()\n"
        "print('oops', file=sys.stderr)\n"
        "os.makedirs('out')\n"
        "open('out/result.txt', 'w').write(open('data/x.txt').read().upper())\n"
        "sys.exit(3)\n",
        files=(data,),
    )
    assert result.exit_status == 3
    assert (run.stdout, run.stderr) == ("hello\n", "oops\n")
    assert run.output("out/result.txt") == b"INPUT"
    assert not (run.folder / "outputs/data").exists()
    assert not (run.folder / "outputs/train.py").exists()
    assert result.prefix == run.image.reference


@pytest.mark.parametrize(
    "python", ["python", "python3", f"python3.{sys.version_info[1]}", "/opt/old/bin/python3.9"]
)
def test_every_name_of_python_means_the_environments(run: Runner, python: str) -> None:
    result = run("import sys; print(sys.prefix)", command=(python, "train.py"))
    assert run.stdout.strip() == run.image.reference == result.prefix
    assert any("environment's own" in note for note in result.notes) == python.startswith("/")


def test_programs_of_the_original_environment_are_found_in_this_one(run: Runner) -> None:
    run(command=(".venv/bin/greet",))
    assert run.stdout == "hello\n"


def test_a_shell_script_finds_the_environments_python(run: Runner) -> None:
    script = FileEntry(
        path="run.sh", sha256=run.store.add_bytes(b"#!/bin/sh\npython train.py\n"), executable=True
    )
    run("import greeting; greeting.main()", command=("./run.sh",), files=(script,))
    assert run.stdout == "hello\n"


def test_variables_are_the_jobs_and_nothing_of_the_machines(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    run("import os; print(sorted(os.environ))", environment={"OMP_NUM_THREADS": "3"})
    seen = set(eval(run.stdout)) - {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
    assert seen == {"OMP_NUM_THREADS", "PATH", "HOME", "TMPDIR", "LANG", "VIRTUAL_ENV"}


def test_the_time_limit_gives_the_command_a_chance_to_save(run: Runner) -> None:
    result = run(
        "import signal, sys, time\n"
        "def save(*_):\n"
        "    open('saved', 'w').write('yes'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n",
        limits=Limits(timeout=1.5),
    )
    assert result.timed_out and result.exit_status == 124
    assert result.duration < 30
    assert run.output("saved") == b"yes"


def test_a_signal_that_ends_the_command_is_its_status(run: Runner) -> None:
    result = run("import os, signal; open('x', 'w').close(); os.kill(os.getpid(), signal.SIGKILL)")
    assert result.exit_status == 137 and not result.timed_out
    assert run.output("x") == b""


def test_a_command_that_does_not_exist_has_the_shells_status(run: Runner) -> None:
    result = run(command=("no-such-program-here",))
    assert result.exit_status == 127
    assert "no-such-program-here" in run.stderr


def test_the_memory_limit_ends_the_run(run: Runner) -> None:
    code = (
        "import time\nx = bytearray(300 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\ntime.sleep(30)\n"
    )
    result = run(code, limits=Limits(memory=100 << 20))
    assert result.exit_status == 137
    assert any("memory" in note for note in result.notes)


def test_nothing_goes_on_after_the_end(run: Runner) -> None:
    name = f"lingers{os.getpid()}"
    run(f"import subprocess; subprocess.Popen(['sh', '-c', 'sleep 31; : {name}'])")
    assert name not in command_lines()


def test_binary_output_and_long_lines_are_kept_whole(run: Runner) -> None:
    run("import sys; sys.stdout.buffer.write(bytes(range(256)) * 2000 + b'x' * 100000)")
    assert (run.folder / "stdout").read_bytes() == bytes(range(256)) * 2000 + b"x" * 100000


def test_what_is_shared_with_the_machine_is_said(run: Runner) -> None:
    result = run("pass")
    assert any(part.startswith("kernel") for part in result.not_isolated)
    assert any(part.startswith("C library") for part in result.not_isolated)
    assert "system libraries" in result.not_isolated


def test_an_environment_that_is_gone_is_explained(run: Runner) -> None:
    run.image = Image(engine="local", reference="/nonexistent", environment_id="0" * 64)
    with pytest.raises(EnvironmentFailure, match="is gone"):
        run("pass")


@needs_bubblewrap
@pytest.mark.parametrize(
    "project",
    [
        "/home/alice/study",
        "/root/study",
        "/data/deep/er/study",
        "/opt/envfreeze-test/study",
        "/usr/local/envfreeze-test",
        "/etc/envfreeze-test",
        "/tmp",
        "/tmp/study/x",
        "/workspace",
        "/work/a b'c$(d)",
    ],
)
def test_the_project_lies_at_its_recorded_path(run: Runner, project: str) -> None:
    run.project = project
    result = run("import os; print(os.getcwd(), os.listdir()); open(os.path.abspath('o'), 'w').write('1')")
    assert result.exit_status == 0, run.stderr
    assert run.stdout.startswith(f"{project} [")
    assert "'train.py'" in run.stdout
    assert result.project == project
    assert run.output("o") == b"1"
    assert not Path(project, "o").exists()


@needs_bubblewrap
@pytest.mark.parametrize("project", ["/", "/usr", "/etc", "/usr/..", "/proc/x", "/lib"])
def test_a_project_in_the_systems_place_lies_elsewhere(run: Runner, project: str) -> None:
    run.project = project
    result = run("import os; print(os.getcwd())", command=("python", "train.py"))
    assert run.stdout == f"{result.project}\n" == "/workspace\n"
    assert any("instead of" in note for note in result.notes)


@needs_bubblewrap
def test_a_project_that_exists_here_is_hidden_by_the_recorded_files(run: Runner, tmp_path: Path) -> None:
    project = tmp_path / "today"
    project.mkdir()
    (project / "today.txt").write_text("not recorded")
    run.project = str(project)
    run("import os; print(os.listdir()); open('made', 'w').close()")
    assert run.stdout == "['train.py']\n"
    assert sorted(path.name for path in project.iterdir()) == ["today.txt"]


@needs_bubblewrap
def test_the_store_may_lie_in_the_project_itself(tmp_path: Path) -> None:
    store = Store(tmp_path / "project")
    recipe = greeting_recipe(store, tmp_path)
    runner = Runner((store, ENGINE.build(recipe, store, progress=Silent()), recipe), tmp_path / "run")
    runner.project = str(tmp_path / "project")
    assert runner("import greeting; greeting.main(); open('o', 'w').close()").exit_status == 0
    assert runner.stdout == "hello\n"
    assert [path.name for path in (tmp_path / "run/outputs").iterdir()] == ["o"]


@needs_bubblewrap
def test_network_home_and_the_rest_of_the_machine_are_out_of_reach(run: Runner, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    result = run(
        "import os, socket\n"
        "print(sorted(os.listdir('/sys/class/net')) if os.path.exists('/sys/class/net') else '')\n"
        f"print(os.path.exists({str(secret)!r}), os.path.exists('/run/docker.sock'))\n"
        "print(os.listdir(os.environ['HOME']))\n"
        "print(open('/proc/net/dev').read().count(':'))\n"
        "for path in ('/usr/x', '/x', '/etc/x', os.environ['VIRTUAL_ENV'] + '/x'):\n"
        "    try: open(path, 'w'); print('wrote', path)\n"
        "    except OSError: pass\n"
        "status = dict(line.split(':') for line in open('/proc/self/status'))\n"
        "print(status['CapEff'].strip(), status['NoNewPrivs'].strip())\n"
        "print(os.getpid() < 10)\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname(), 2); print('loopback')\n"
    )
    lines = run.stdout.splitlines()[1:]
    assert lines == ["False False", "[]", "1", "0000000000000000 1", "True", "loopback"], run.stderr
    assert "network: none" in result.isolated


@needs_bubblewrap
def test_network_is_there_when_asked_for(run: Runner) -> None:
    result = run("print(open('/proc/net/dev').read().count(':'))", network=True)
    host = Path("/proc/net/dev").read_text().count(":")
    assert int(run.stdout) == host
    assert "network: allowed" in result.not_isolated


@needs_bubblewrap
def test_recorded_files_and_outputs_outside_of_the_project(run: Runner) -> None:
    files = (
        FileEntry(path="/data/in/table.csv", sha256=run.store.add_bytes(b"recorded")),
        FileEntry(path="/etc/hostname", sha256=run.store.add_bytes(b"recorded host")),
        FileEntry(path="/usr/share/envfreeze-test/words", sha256=run.store.add_bytes(b"words")),
    )
    run(
        "for path in ('/data/in/table.csv', '/etc/hostname', '/usr/share/envfreeze-test/words'):\n"
        "    print(open(path).read())\n"
        "open('/results/a/metrics.json', 'w').write('{}')\n"
        "open('/tmp/scratch', 'w').write('not an output')\n",
        files=files,
        writable=("/results/a", "/usr/lib"),
    )
    assert run.stdout == "recorded\nrecorded host\nwords\n", run.stderr
    assert run.output("@root/results/a/metrics.json") == b"{}"
    assert [path.name for path in (run.folder / "outputs").iterdir()] == ["@root"]
    assert not Path("/results").exists()


@needs_bubblewrap
def test_a_sandbox_that_cannot_be_set_up_is_not_taken_for_the_commands_failure(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = _local_sandbox.Mount("/data", Path("/nonexistent-source"))
    monkeypatch.setattr(_local_isolation, "_environment", lambda environment: [broken])
    with pytest.raises(EnvironmentFailure, match="could not be isolated: bwrap"):
        run("pass")


@pytest.mark.parametrize("kind", ["network namespace", "nothing"])
def test_without_bubblewrap_paths_lead_to_a_fresh_folder(
    run: Runner, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "network namespace" and _local_sandbox.best() == "nothing":
        pytest.skip("this machine allows no namespaces")
    monkeypatch.setattr(_local_sandbox, "best", lambda: kind)
    result = run(
        "import os, sys\n"
        "print(os.getcwd() == sys.argv[1] == os.environ['DATA_DIR'], sys.argv[2])\n"
        "open(sys.argv[1] + '/o', 'w').write('1')\n",
        command=(
            "python",
            "train.py",
            "/home/alice/study",
            "--x=/home/alice/study/x",
            "/home/alice/studying",
        ),
        environment={"DATA_DIR": "/home/alice/study"},
    )
    assert run.stdout == f"True --x={result.project}/x\n", run.stderr
    assert run.output("o") == b"1"
    assert any("file system" in part for part in result.not_isolated)
    assert any("network" in part for part in result.not_isolated) == (kind == "nothing")


def test_without_bubblewrap_what_lay_beside_the_project_still_does(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_local_sandbox, "best", lambda: "nothing")
    beside = FileEntry(path="/home/alice/data/x.csv", sha256=run.store.add_bytes(b"1\n"))
    result = run(
        "print(open('../data/x.csv').read())\n"
        "open('own', 'w').write('2')\nopen('../shared', 'w').write('3')\n",
        files=(beside,),
        writable=("/home/alice",),  # a folder around the project too
    )
    assert result.exit_status == 0, run.stderr
    assert run.stdout == "1\n\n"
    assert run.output("own") == b"2"
    assert run.output("@root/home/alice/shared") == b"3"
    assert sorted(path.name for path in (run.folder / "outputs").rglob("*") if path.is_file()) == [
        "own",
        "shared",
    ]


def test_an_interrupt_ends_the_run_and_leaves_nothing(
    built: tuple[Store, Image, Recipe], tmp_path: Path
) -> None:
    store, image, _ = built
    name = f"sleeper{os.getpid()}"
    (tmp_path / "run").mkdir()
    code = (
        "import signal, sys; from pathlib import Path\n"
        # Whoever runs the tests in the background of a shell has them ignore it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from envfreeze.engines.local import ENGINE; from envfreeze.progress import Silent\n"
        "from envfreeze.records.run import Image, Job; from envfreeze.store import Store\n"
        f"image = Image(engine='local', reference={image.reference!r}, environment_id='{'0' * 64}')\n"
        f"job = Job(command=('sh', '-c', 'echo up; sleep 60; : {name}'), directory='/p', project='/p')\n"
        f"ENGINE.run(image, job, Store(Path({str(store.root.parent)!r})), Path({str(tmp_path / 'run')!r}), "
        "progress=Silent())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    stdout = tmp_path / "run/stdout"
    while not (stdout.exists() and stdout.read_bytes()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    assert f": {name}" not in command_lines()
    assert list((store.root / "tmp").iterdir()) == []

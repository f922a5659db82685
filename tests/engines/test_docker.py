"""The docker engine on a real engine: one image is built, and jobs are run in it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envfreeze.engines import Engine, _docker_build, _docker_run
from envfreeze.engines._docker_client import Connection, connect, connection
from envfreeze.engines.docker import ENGINE
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.progress import Silent
from envfreeze.recipe.base_image import choose
from envfreeze.recipe.render import render
from envfreeze.records.environment import Interpreter, Package
from envfreeze.records.files import FileEntry, StreamEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation
from envfreeze.records.recipe import Recipe
from envfreeze.records.run import Image, Job, JobResult, Limits
from envfreeze.store import Store

pytestmark = pytest.mark.engine

SIX = Package(
    name="six",
    version="1.16.0",
    source="index",
    file="six-1.16.0-py2.py3-none-any.whl",
    sha256="8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254",
)


def lock(*packages: Package) -> Lock:
    interpreter = Interpreter(implementation="CPython", version="3.11.7", libc="glibc 2.36")
    return Lock(envfreeze_lock=1, interpreter=interpreter, packages=packages)


def recipe(*packages: Package) -> Recipe:
    made = lock(*packages)
    _RECIPES.append(render(made, choose(made, ENGINE)[0]))
    return _RECIPES[-1]


@pytest.fixture(scope="module", autouse=True)
def no_images_left() -> Iterator[None]:
    """What these tests build is removed, and nothing else."""

    def ours() -> set[str]:
        return {name for item in client.images.list("envfreeze") for name in item.tags}

    client = connect(20)
    before = ours()
    yield
    for name in {_docker_build.tag(made) for made in _RECIPES} & ours() - before:
        client.images.remove(name, force=True)
    client.close()


_RECIPES: list[Recipe] = []


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("project"))
    made.create()
    return made


@pytest.fixture(scope="module")
def image(store: Store) -> Image:
    return ENGINE.build(recipe(SIX), store, progress=Silent())


class Runner:
    """Runs Python code in the image and keeps what came out."""

    def __init__(self, image: Image, store: Store, folder: Path, engine: Engine = ENGINE) -> None:
        self.image, self.store, self.folder, self.engine = image, store, folder, engine

    def __call__(
        self,
        code: str,
        files: dict[str, str] | None = None,
        project: str = "/home/alice/x",
        **settings: object,
    ) -> JobResult:
        entries = tuple(
            FileEntry(path=path, size=len(text.encode()), sha256=self.store.add_bytes(text.encode()))
            for path, text in (files or {}).items()
        )
        settings.setdefault("directory", project)
        job = Job(command=("python", "-c", code), project=project, files=entries, **settings)  # type: ignore[arg-type]
        (self.folder / "outputs").mkdir(exist_ok=True)
        return self.engine.run(self.image, job, self.store, self.folder, progress=Silent())

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    @property
    def outputs(self) -> dict[str, str]:
        root = self.folder / "outputs"
        return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def run(image: Image, store: Store, tmp_path: Path) -> Runner:
    return Runner(image, store, tmp_path)


def leftovers() -> list[str]:
    client = connect(20)
    try:
        mine = {"label": f"{_docker_run.OWNER}={_docker_run.owner()}"}
        return [str(item.id) for item in client.containers.list(all=True, filters=mine)] + [
            str(item.id) for item in client.volumes.list(filters=mine)
        ]
    finally:
        client.close()


def test_check_names_version_and_address() -> None:
    check = ENGINE.check()
    assert check.state == "ok"
    assert "://" in check.found


def test_second_build_of_same_recipe_builds_nothing(image: Image, store: Store) -> None:
    again = ENGINE.build(recipe(SIX), store, progress=Silent())
    assert not again.built
    assert again.reference == image.reference


def test_image_has_packages_and_neither_secret_nor_context(run: Runner) -> None:
    run(
        "import six, os, pathlib\n"
        "print(six.__version__)\n"
        "print(os.listdir('/tmp'), os.path.exists('/root/.cache/uv/x'))\n"
        "print([path for path in pathlib.Path('/run').rglob('envfreeze-*') if path.stat().st_size])"
    )
    assert run.stdout.splitlines() == ["1.16.0", "[] False", "[]"], run.stderr


@pytest.mark.parametrize("project", ["/root/x", "/home/alice/x", "/tmp/x", "/dev/shm/x", "/opt/a b/ü"])
def test_project_lies_where_it_lay(run: Runner, project: str) -> None:
    result = run(
        "import os; print(os.getcwd(), open('in.txt').read()); open('../' + os.path.basename(os.getcwd())"
        " + '/made.txt', 'w').write('new'); os.makedirs('d/e'); open('d/e/f', 'w').write('deep')",
        {"in.txt": "given", "lib/a.py": "pass"},
        project=project,
    )
    assert result.exit_status == 0, run.stderr
    assert run.stdout == f"{project} given\n"
    assert run.outputs == {"made.txt": "new", "d/e/f": "deep"}
    assert result.project == project
    assert result.prefix == "/usr/local"


def test_project_over_the_system_is_moved_and_said(run: Runner) -> None:
    result = run("import os; print(os.getcwd())", project="/", directory="/")
    assert run.stdout == "/workspace\n"
    assert result.project == "/workspace"
    assert "/workspace" in result.notes[0]


def test_outputs_are_what_was_written(run: Runner) -> None:
    run(
        "import os\n"
        "open('changed', 'a').write('!'); open('same', 'w').write('same'); os.chmod('tool', 0o755)\n"
        "open('back', 'r+').write('B'); os.utime('back', (315619200, 315619200))\n"
        "os.symlink('changed', 'inside'); os.symlink('/etc/passwd', 'outside'); os.mkfifo('pipe')\n"
        "os.link('kept', 'twin'); os.makedirs('__pycache__'); open('__pycache__/x', 'w').close()",
        {"changed": "a", "same": "same", "kept": "kept", "tool": "t", "back": "back"},
    )
    assert run.stderr == ""
    assert run.outputs == {"changed": "a!", "inside": "a!", "same": "same", "twin": "kept", "back": "Back"}
    assert (run.folder / "outputs/inside").is_symlink()


def test_left_out_outputs_are_named(run: Runner) -> None:
    result = run("import os; os.symlink('../../etc', 'up'); os.mkfifo('pipe')")
    assert any("up" in note for note in result.notes)
    assert any("pipe" in note for note in result.notes)
    assert run.outputs == {}


def test_folders_outside_of_the_project(run: Runner) -> None:
    result = run(
        "print(open('/data/set/in.csv').read()); open('/results/a/out.csv', 'w').write('1')",
        {"/data/set/in.csv": "1,2", "/etc/hosts": "x"},
        writable=("/results/a",),
    )
    assert run.stdout == "1,2\n", run.stderr
    assert run.outputs == {"@root/results/a/out.csv": "1"}
    assert any("/etc/hosts" in note for note in result.notes)


def test_project_inside_of_another_folder_of_the_run(run: Runner) -> None:
    run(
        "open('a', 'w').write('in'); open('/home/alice/b', 'w').write('out')\n"
        "import os; print(os.listdir('/home/alice/x/sub/deep'))",
        {"/home/alice/given": "1", "in": "2"},
        directory="/home/alice/x/sub/deep",
        writable=("/home/alice",),
    )
    assert run.outputs == {"sub/deep/a": "in", "@root/home/alice/b": "out"}, run.stderr


def test_isolation(run: Runner) -> None:
    result = run(
        "import os, socket\n"
        "print(os.getuid(), open('/proc/self/status').read().split('CapEff:')[1].split()[0])\n"
        "for path in ('/usr/x', '/etc/x', '/x'):\n"
        "    try: open(path, 'w'); print('wrote', path)\n"
        "    except OSError as error: print(error.strerror)\n"
        "print(sorted(name for _, name in socket.if_nameindex()))\n"
        "open(os.path.expanduser('~/.config'), 'w'); open('/tmp/y', 'w'); print(os.environ['HOME'])"
    )
    lines = run.stdout.splitlines()
    assert lines[0] == "1000 0000000000000000", run.stderr
    assert all(line in {"Read-only file system", "Permission denied"} for line in lines[1:4])
    assert lines[4] == "['lo']"
    assert lines[5] == "/home/envfreeze"
    assert "network" in result.isolated
    assert "kernel" in result.not_isolated


def test_streams_are_kept_apart_and_whole(run: Runner) -> None:
    result = run("import sys; sys.stdout.write('a' * 3_000_000); sys.stderr.write('oops'); sys.exit(7)")
    assert (len(run.stdout), run.stderr, result.exit_status) == (3_000_000, "oops", 7)


def test_variables_reach_the_command(run: Runner) -> None:
    run(
        "import os; print(os.environ['A'], os.environ['PATH'].split(':')[0])",
        environment={"A": "a $b\n", "PATH": "/nowhere"},
    )
    assert run.stdout == "a $b\n /usr/local/bin\n"


def test_interpreter_of_another_place_is_found_by_name(image: Image, store: Store, tmp_path: Path) -> None:
    job = Job(command=("/home/alice/v/bin/python3", "-V"), directory="/w", project="/w")
    assert ENGINE.run(image, job, store, tmp_path, progress=Silent()).exit_status == 0


def test_time_limit_keeps_outputs(run: Runner) -> None:
    result = run(
        "import time; open('part', 'w').write('some'); print('begun', flush=True); time.sleep(60)",
        limits=Limits(timeout=1.5),
    )
    assert (result.exit_status, result.timed_out) == (124, True)
    assert run.stdout == "begun\n"
    assert run.outputs == {"part": "some"}
    assert result.duration < 30


def test_memory_limit_is_said(run: Runner) -> None:
    result = run("x = bytearray(400 << 20)", limits=Limits(memory=64 << 20))
    assert result.exit_status == 137
    assert any("memory" in note for note in result.notes)


def test_command_that_is_not_there(image: Image, store: Store, tmp_path: Path) -> None:
    job = Job(command=("no-such-program",), directory="/w", project="/w")
    result = ENGINE.run(image, job, store, tmp_path, progress=Silent())
    assert result.exit_status == 127
    assert "no-such-program" in (tmp_path / "stderr").read_text()


def test_damaged_object_stops_before_the_start(run: Runner) -> None:
    entry = FileEntry(path="a", size=1, sha256=run.store.add_bytes(b"to be damaged"))
    path = run.store.path(str(entry.sha256))
    path.chmod(0o644)
    path.write_bytes(b"damaged meanwh")
    job = Job(command=("true",), directory="/w", project="/w", files=(entry,))
    with pytest.raises(InputError, match="damaged"):
        ENGINE.run(run.image, job, run.store, run.folder, progress=Silent())
    path.unlink()


def test_missing_image_is_said(image: Image, store: Store, tmp_path: Path) -> None:
    gone = msgspec.structs.replace(image, reference="envfreeze:0000000000000000")
    job = Job(command=("true",), directory="/w", project="/w")
    with pytest.raises(EnvironmentFailure, match="not there"):
        ENGINE.run(gone, job, store, tmp_path, progress=Silent())


def test_nothing_is_left_behind(run: Runner) -> None:
    run("raise SystemExit(1)")
    assert leftovers() == []


def test_containers_of_killed_process_are_removed(image: Image) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    host = _docker_run.owner().partition(":")[0]
    client = connect(20)
    try:
        labels = {_docker_run.OWNER: f"{host}:{dead.stdout.strip()}:1"}
        stale = client.containers.create(image.reference, ["true"], labels=labels)
        mine = client.containers.create(
            image.reference, ["true"], labels={_docker_run.OWNER: _docker_run.owner()}
        )
        _docker_run.remove_stale(client)
        there = {item.id for item in client.containers.list(all=True)}
        mine.remove(v=True)
    finally:
        client.close()
    assert stale.id not in there
    assert mine.id in there


def test_version_that_no_index_has(store: Store) -> None:
    wrong = msgspec.structs.replace(SIX, version="1.16.99")
    with pytest.raises(InputError, match=r"six==1\.16\.99"):
        ENGINE.build(recipe(wrong), store, progress=Silent())


def test_content_that_is_not_the_recorded_one(store: Store) -> None:
    wrong = msgspec.structs.replace(SIX, sha256="0" * 64)
    with pytest.raises(InputError, match="content"):
        ENGINE.build(recipe(wrong), store, progress=Silent())


def test_base_image_that_does_not_exist(store: Store) -> None:
    assert ENGINE.base_exists("python:3.11.99-slim-bookworm") is False
    made = recipe(SIX)
    base = msgspec.structs.replace(made.base, reference="python:3.11.99-slim-bookworm", digest=None)
    with pytest.raises(EnvironmentFailure, match=r"base image python:3\.11\.99"):
        ENGINE.build(render(lock(SIX), base), store, progress=Silent())


def test_classic_builder_downloads_here(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_docker_build, "buildkit_client", lambda path: None)
    made = ENGINE.build(recipe(SIX), store, progress=Silent(), force=True)
    assert "without BuildKit" in made.notes[0]
    again = Runner(made, store, tmp_path)
    again("import six; print(six.__version__)")
    assert again.stdout == "1.16.0\n", again.stderr


def test_hostile_lock_builds_harmlessly(store: Store, tmp_path: Path) -> None:
    evil = 'x"\\\n$(touch /pwned) ${HOME} `touch /pwned`'
    plain = "x\"\\$(touch pwned) ${HOME} `touch pwned` 'y' \\"
    stream = StreamEntry(sha256="0" * 64)
    observation = Observation(
        command=("echo", evil),
        directory="/p",
        project="/p",
        environment={"TZ": evil, "OMP_X": plain},
        stdout=stream,
        stderr=stream,
    )
    made = lock()
    hostile = render(msgspec.structs.replace(made, run=observation), recipe().base)
    image = ENGINE.build(hostile, store, progress=Silent(), force=True)
    client = connect(20)
    try:
        config = client.images.get(image.reference).attrs["Config"]
    finally:
        client.close()
    assert config["Cmd"] == ["echo", evil]
    assert f"OMP_X={plain}" in config["Env"]
    check = Runner(image, store, tmp_path)
    check("import os; print(os.path.exists('/pwned'))")
    assert check.stdout == "False\n"


def test_connection_prefers_docker_host() -> None:
    found = connection()
    assert isinstance(found, Connection)
    assert os.environ.get("DOCKER_HOST", found.host) == found.host


class Proxy:
    """A Docker engine that can go away: passes a socket's connections on until ``stop``."""

    def __init__(self, path: Path, target: str) -> None:
        self.path, self.target, self.pairs = path, target, list[socket.socket]()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.target)
                self.pairs += [near, far]
                threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not data:
                        selector.unregister(key.fileobj)
                        key.data.shutdown(socket.SHUT_WR)
                        continue
                    key.data.sendall(data)

    def stop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.listener.close()
        for end in self.pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Until(Silent):
    """Does something when a word is told."""

    def __init__(self, word: str, action: Callable[[], None]) -> None:
        self.word, self.action = word, action

    def detail(self, text: str) -> None:
        if self.word in text:
            self.word = "\0"
            self.action()


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    found = connection()
    assert isinstance(found, Connection)
    if not found.host.startswith("unix://"):
        pytest.skip("the engine is on another machine")
    made = Proxy(tmp_path / "docker.sock", found.host.removeprefix("unix://"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{made.path}")
    yield made
    made.stop()
    monkeypatch.undo()
    client = connect(20)
    for container in client.containers.list(
        all=True, filters={"label": f"{_docker_run.OWNER}={_docker_run.owner()}"}
    ):
        container.remove(force=True, v=True)
    client.close()


SLEEP = (
    "python",
    "-c",
    "import time; open('part', 'w').write('x'); print('begun', flush=True); time.sleep(60)",
)


def test_engine_that_goes_away_in_a_run(image: Image, store: Store, proxy: Proxy, tmp_path: Path) -> None:
    job = Job(command=SLEEP, directory="/w", project="/w")
    with pytest.raises(EnvironmentFailure, match="went away"):
        ENGINE.run(image, job, store, tmp_path, progress=Until("begun", proxy.stop))
    assert (tmp_path / "stdout").read_text() == "begun\n"


def test_engine_that_goes_away_in_a_build(store: Store, proxy: Proxy) -> None:
    with pytest.raises(EnvironmentFailure, match="went away"):
        ENGINE.build(recipe(SIX), store, progress=Until("requirements", proxy.stop), force=True)


def test_interrupted_run_leaves_nothing(image: Image, store: Store, tmp_path: Path) -> None:
    job = Job(command=SLEEP, directory="/w", project="/w")
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ENGINE.run(
            image, job, store, tmp_path, progress=Until("begun", lambda: os.kill(os.getpid(), signal.SIGINT))
        )
    assert time.monotonic() - started < 30
    assert leftovers() == []


def test_interrupted_build_leaves_no_image(store: Store) -> None:
    wanted = recipe(SIX, msgspec.structs.replace(SIX, name="idna", version="3.7", sha256="1" * 64))
    with pytest.raises(KeyboardInterrupt):
        ENGINE.build(
            wanted, store, progress=Until("echo", lambda: os.kill(os.getpid(), signal.SIGINT)), force=True
        )
    client = connect(20)
    assert not _docker_build.is_built(client, wanted)
    client.close()
    assert not list((store.root / "tmp").iterdir())


def test_what_fills_the_volumes_has_no_privileges_either(image: Image) -> None:
    """Podman starts it, so that a stranger's image runs a program of its own there."""
    client = connect()
    made: list[Any] = []
    try:
        carrier = _docker_run._carrier(client, image, ("/workspace",), made)
        carrier.reload()
        limits, configured = carrier.attrs["HostConfig"], carrier.attrs["Config"]
        assert limits["CapDrop"] == ["ALL"] and limits["NetworkMode"] == "none"
        assert any("no-new-privileges" in option for option in limits["SecurityOpt"])
        assert not configured["Entrypoint"] and configured["Cmd"] == ["true"]
    finally:
        _docker_run._remove(iter(made))
        client.close()

"""The podman engine: Docker's own tests of isolation and outputs, and what is Podman's alone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from docker.errors import NotFound

from envfreeze.bundle.image import image_members
from envfreeze.engines import _docker_build, _podman
from envfreeze.engines._docker_client import Connection, Unavailable, connect
from envfreeze.engines.podman import ENGINE
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.progress import Silent
from envfreeze.recipe.render import render
from envfreeze.records.recipe import BaseImage
from envfreeze.records.run import Image, Job, Limits
from envfreeze.store import Store

from .test_docker import (  # noqa: F401 - collected here too, with the fixtures of this module
    SIX,
    SLEEP,
    Runner,
    Until,
    lock,
    test_image_has_packages_and_neither_secret_nor_context,
    test_isolation,
)

pytestmark = pytest.mark.podman

BASE = BaseImage(reference="python:3.11.7-slim-bookworm")
RECIPE = render(lock(SIX), BASE)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("project"))
    made.create()
    return made


@pytest.fixture(scope="module")
def image(store: Store) -> Iterator[Image]:
    yield ENGINE.build(RECIPE, store, progress=Silent())
    remove(RECIPE)


@pytest.fixture
def run(image: Image, store: Store, tmp_path: Path) -> Runner:
    return Runner(image, store, tmp_path, ENGINE)


def remove(recipe: object) -> None:
    client = connect(60, ENGINE.find())
    with contextlib.suppress(NotFound):  # another run of these tests here may have removed it
        client.images.remove(_docker_build.tag(recipe), force=True)  # type: ignore[arg-type]
    client.close()


def test_check_names_version() -> None:
    check = ENGINE.check()
    assert check.state == "ok"
    assert check.found.startswith("Podman ")


def test_second_build_builds_nothing(image: Image, store: Store) -> None:
    again = ENGINE.build(RECIPE, store, progress=Silent())
    assert (again.engine, again.built, again.reference) == ("podman", False, image.reference)


def test_memory_limit_is_in_force_or_said_not_to_be(run: Runner) -> None:
    """Rootless on cgroups v1 there are no limits."""
    result = run("x = bytearray(400 << 20)", limits=Limits(memory=64 << 20))
    if result.exit_status == 0:
        assert any("not in force" in note for note in result.notes)
    else:
        assert result.exit_status == 137
        assert any("memory" in note and "not in force" not in note for note in result.notes)


def test_project_below_a_folder_of_the_image_that_is_not_the_users(run: Runner) -> None:
    """Podman gives a new volume the owner and mode of the image's folder below it; /root is closed."""
    run("open('made', 'w').write('x')", project="/root/x")
    assert run.outputs == {"made": "x"}, run.stderr


@pytest.mark.slow
def test_command_that_is_not_there(image: Image, store: Store, tmp_path: Path) -> None:
    job = Job(command=("no-such-program",), directory="/w", project="/w")
    assert ENGINE.run(image, job, store, tmp_path, progress=Silent()).exit_status == 127
    assert "no-such-program" in (tmp_path / "stderr").read_text()


def test_other_requirements_are_not_taken_from_a_cache(image: Image, store: Store) -> None:
    wrong = render(lock(msgspec.structs.replace(SIX, version="1.16.99")), BASE)
    with pytest.raises(InputError, match=r"six==1\.16\.99"):
        ENGINE.build(wrong, store, progress=Silent())


@pytest.mark.slow
def test_image_of_a_bundle_is_loaded_instead_of_built(
    image: Image, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envfreeze.engines._container_engine.preferred", lambda: ENGINE)
    folder = f"environments/{RECIPE.environment_id[:12]}/image"
    saved = tmp_path / "bundle" / folder
    names = {member.name for member in image_members(RECIPE, store, folder, saved, progress=Silent())}
    assert {f"{folder}/index.json", f"{folder}/oci-layout", f"{folder}/manifest.json"} <= names
    remove(RECIPE)
    with subprocess.Popen(["tar", "-C", saved, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["podman", "load"], stdin=tar.stdout, check=True, capture_output=True)
    subprocess.run(["podman", "image", "inspect", image.reference], check=True, capture_output=True)
    remove(RECIPE)
    bundled = Store(tmp_path)
    bundled.create()
    (bundled.root / "bundle").write_text("bundle")
    loaded = ENGINE.build(RECIPE, bundled, progress=Silent())
    assert loaded.notes == ("the image is the bundle's own",)
    again = Runner(loaded, store, tmp_path, ENGINE)
    again("import six; print(six.__version__)")
    assert again.stdout == "1.16.0\n", again.stderr


@pytest.mark.slow
def test_interrupted_run_leaves_nothing(image: Image, store: Store, tmp_path: Path) -> None:
    client = connect(20, ENGINE.find())
    before = {item.id for item in client.containers.list(all=True)}
    job = Job(command=SLEEP, directory="/w", project="/w")
    stop = Until("begun", lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        ENGINE.run(image, job, store, tmp_path, progress=stop)
    assert {item.id for item in client.containers.list(all=True)} == before
    client.close()


@pytest.mark.slow
def test_service_that_dies_in_a_run_is_said_and_started_anew(
    image: Image, store: Store, tmp_path: Path
) -> None:
    assert isinstance(ENGINE.find(), Connection)
    service = _podman._service(str(_podman.shutil.which("podman")))
    job = Job(command=SLEEP, directory="/w", project="/w")
    with pytest.raises(EnvironmentFailure, match="Podman went away"):
        ENGINE.run(image, job, store, tmp_path, progress=Until("begun", service._process.kill))
    found = ENGINE.find()
    assert isinstance(found, Connection)
    client = connect(20, found)
    for container in client.containers.list(all=True, filters={"label": "envfreeze.owner"}):
        container.remove(force=True, v=True)
    client.close()


@pytest.mark.parametrize("end", ["", "main._main.run = lambda words: 130; main.main()"])
def test_service_ends_with_the_process(end: str) -> None:
    """However that ends: after Ctrl-C it does not wait for anything."""
    code = (
        "from envfreeze.engines.podman import ENGINE\n"
        "import envfreeze.__main__ as main, envfreeze.cli._main\n"
        "main._main = envfreeze.cli._main\n"
        "print(ENGINE.find().host.removeprefix('unix://'))\n"
    )
    said = subprocess.run([sys.executable, "-c", code + end], capture_output=True, text=True, check=False)
    assert said.returncode == (130 if end else 0), said.stderr
    assert said.stdout.strip().endswith("/podman.sock")
    assert not Path(said.stdout.strip()).parent.exists()


def test_podman_that_cannot_work_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\necho 'Error: cannot set up namespace using newuidmap' >&2\nexit 125\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    check = ENGINE.check()
    assert check.state == "missing"
    assert "newuidmap" in check.found
    assert "podman info" in check.mend


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("python:3.11", "docker.io/library/python:3.11"),
        ("a/b:1", "docker.io/a/b:1"),
        ("ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        ("localhost/b:1", "localhost/b:1"),
    ],
)
def test_short_names_get_their_registry(short: str, long: str) -> None:
    assert _podman.qualified(short) == long


def test_container_host_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/none.sock")
    found = ENGINE.find()
    assert isinstance(found, Unavailable)
    assert "none.sock" in found.why

"""A conda environment, with packages of pip in it: frozen, left, and made again by both engines."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ..conda_channel import make_environment
from . import _packages
from .conftest import Result, run

CODE = """\
import pathlib, subprocess, sys
import ofpip, tinyconda

prefix = pathlib.Path(sys.prefix)
table = prefix / "share" / "tinydata" / "table.csv"
# Paths that were written into files when they were linked.
assert (prefix / "etc" / "tinydata" / "where.txt").read_text() == str(table)
said = subprocess.run(["tiny-greet"], capture_output=True, text=True, check=True).stdout
pathlib.Path("made.txt").write_text(f"{table.read_text()}{tinyconda.VALUE} {ofpip.VALUE} {said}")
print(sys.prefix)
"""
ENGINES = [
    pytest.param("local"),
    # Only what links the packages in an image comes from the index.
    pytest.param("docker", marks=[pytest.mark.engine, pytest.mark.index]),
]
PACKAGES = ("python", "pip", "tinyconda", "tinydata")


def freeze(project: Path, programs: Path) -> Result:
    project.mkdir()
    (project / "train.py").write_text(CODE)
    done = run("freeze", "--offline", "--", "python", "train.py", cwd=project, path=[programs])
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def leave(project: Path, environment: Path, to: Path) -> Path:
    to.mkdir()
    for name in ("envfreeze.lock", ".envfreeze", "Dockerfile"):
        shutil.move(project / name, to / name)
    shutil.rmtree(project)
    shutil.rmtree(environment)
    return to


def with_pips_package(environment: Path, wheels: Path) -> Path:
    wheel = _packages.make_wheel(wheels, "ofpip", "1.0", {"ofpip.py": "VALUE = 'of pip'\n"})
    words = ["install", "-q", "--no-index", "--disable-pip-version-check", wheel]
    subprocess.run([environment / "bin" / "python", "-m", "pip", *words], check=True, capture_output=True)
    return environment / "bin"


@pytest.fixture(scope="session")
def frozen_conda(conda_channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is left of the environment, and the lock knows no place to get it from but its store."""
    base = tmp_path_factory.mktemp("frozen-conda")
    channel = Path(shutil.copytree(conda_channel, base / "channel"))
    environment = base / "ml"
    make_environment(channel, environment, *PACKAGES)
    freeze(base / "project", with_pips_package(environment, base / "wheels"))
    shutil.rmtree(channel)
    return leave(base / "project", environment, base / "reviewer")


def verdicts(done: Result) -> dict[str, str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return {output["path"]: output["verdict"] for output in done.json["outputs"] if output["counts"]}


@pytest.mark.parametrize("engine", ENGINES)
def test_conda_environment_of_a_folder(frozen_conda: Path, tmp_path: Path, engine: str) -> None:
    reviewer = Path(shutil.copytree(frozen_conda, tmp_path / "reviewer"))
    done = run("replay", "--engine", engine, "--json", cwd=reviewer)
    # The prefix is another one, and is listed as such.
    assert verdicts(done) == {"<exit status>": "identical", "<stdout>": "equivalent", "made.txt": "identical"}
    again = run("build", "--engine", engine, "--json", cwd=reviewer)
    assert not again.json.get("built"), "an unchanged lock means no build"


def test_lock_tells_conda_and_pip_apart(frozen_conda: Path) -> None:
    lock = yaml.safe_load((frozen_conda / "envfreeze.lock").read_text())
    sources = {package["name"]: package["source"] for package in lock["packages"]}
    assert sources == {"pip": "conda", "tinyconda": "conda", "ofpip": "local"}
    assert {package["name"] for package in lock["conda"]["packages"]} == set(PACKAGES)
    assert lock["interpreter"]["kind"] == "conda"
    assert lock["base"]["reference"].startswith("debian:")


@pytest.fixture
def served(conda_channel: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(conda_channel))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_channel_on_a_server(served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only addresses and digests are recorded; and conda-lock.yml says the same as the lock."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    environment = tmp_path / "ml"
    make_environment(served, environment, *PACKAGES)
    freeze(tmp_path / "project", with_pips_package(environment, tmp_path / "wheels"))
    reviewer = leave(tmp_path / "project", environment, tmp_path / "reviewer")
    conda = yaml.safe_load((reviewer / "envfreeze.lock").read_text())["conda"]["packages"]
    assert all(package["url"].startswith(served) and "vendored" not in package for package in conda)
    done = run("replay", "--engine", "local", "--json", cwd=reviewer)
    assert verdicts(done)["made.txt"] == "identical"

    run("export", "--to", "conda-lock", "-o", "out/", cwd=reviewer)
    words = ["freeze", "--from", "out/conda-lock.yml", "--offline"]
    again = run(*words, cwd=reviewer)
    assert again.returncode == 0, again.stdout + again.stderr
    assert yaml.safe_load((reviewer / "envfreeze.lock").read_text())["conda"]["packages"][0][
        "url"
    ].startswith(served)

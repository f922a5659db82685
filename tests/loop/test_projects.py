"""Small projects as people have them: freeze, delete everything, replay offline, and judge each output."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from envfreeze.observer import inject

from . import _packages
from .conftest import ENGINES, ROOT, run

needs_shim = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")
PROJECTS = ROOT / "tests" / "projects"


class Shape(NamedTuple):
    """How the project in ``tests/projects/<name>`` is prepared and run, and what a replay of it must show."""

    command: tuple[str, ...]
    made: frozenset[str]
    """All outputs of the run; ``*`` stands for a part that is not known beforehand."""
    packages: tuple[str, ...] = ()
    """What is installed in its environment; ``{beside}`` is the folder around the project."""
    variables: Mapping[str, str] = {}
    prepare: Callable[[Path], None] | None = None
    """Makes what cannot lie in the repository."""
    unseeded: bool = False
    """Its randomness or its times come from nowhere but the tapes."""
    accepted: Mapping[str, Callable[[dict[str, Any]], bool]] = {}
    """What to think of outputs that need not be identical."""


def shape(*command: str, made: str, **settings: Any) -> Shape:
    return Shape(command, frozenset(made.split(", ")), **settings)


def _names_that_are_no_text(project: Path) -> None:
    folder = os.fsencode(project) + b"/data"
    os.mkdir(folder)
    for name, content in ((b"caf\xe9.txt", b"1\n2\n"), (b"\xff\nnewline.txt", b"3\n")):
        with open(folder + b"/" + name, "wb") as stream:
            stream.write(content)


def _links(project: Path) -> None:
    (project / "data").symlink_to("../archive/v1")
    (project / "current.cfg").symlink_to("scale-2.cfg")


def _database(project: Path) -> None:
    connection = sqlite3.connect(project / "results.db")
    connection.executescript((project / "schema.sql").read_text())
    connection.close()


def _extension(project: Path) -> None:
    """What ``setup.py build_ext --inplace`` does, without setuptools."""
    name = "fastsum" + sysconfig.get_config_var("EXT_SUFFIX")
    include = sysconfig.get_path("include")
    command = ["cc", "-shared", "-fPIC", "-O2", f"-I{include}", "-o", name, "fastsum.c"]
    subprocess.run(command, cwd=project, check=True)


def _another_sqlite(output: dict[str, Any]) -> bool:
    """A database holds the version of the SQLite that wrote it, and an image may have another one."""
    return output["verdict"] == "different" and output["original_size"] == output["replay_size"]


def _other_times_of_cells(output: dict[str, Any]) -> bool:
    """The kernel's threads take messages in their own order, and a notebook notes the time of each.

    The cells have a seeded generator of their own. Unseeded, ``random.choices`` would differ, tapes or not:
    IPython draws tips from the same generator, one each time that a client asks whether the kernel is up.
    """
    aside = output["set_aside"]
    return output["verdict"] == "equivalent" and len(aside) == 1 and aside[0].startswith("execution times")


NOTEBOOK = "jupyter nbconvert --log-level WARN --to notebook --execute analysis.ipynb --output executed"
DATASETS = {"DATASETS": "{beside}/datasets"}
NUMERIC = ("scikit-learn==1.7.2", "numpy==2.3.4", "scipy==1.16.2")

SHAPES: dict[str, Shape] = {
    "argparse_script": shape("python", "train.py", "--epochs=5", made="metrics.json", unseeded=True),
    "multiprocessing_spawn": shape("python", "train.py", made="means.json", unseeded=True),
    "data_loader": shape("python", "train.py", made="loss.txt", unseeded=True),
    "shell_pipeline": shape("bash", "run.sh", made="out/counts.txt, out/scores.txt"),
    "src_layout": shape(
        "python", "-m", "forecast", made="results/forecast.csv", variables={"PYTHONPATH": "src"}
    ),
    "outside_data": shape("python", "train.py", made="joined.csv", variables=DATASETS),
    "overwritten_input": shape("python", "update.py", made="state.json, table.txt"),
    "non_utf8_name": shape(
        "python",
        "count.py",
        made="counts of caf\udce9.txt, counts of \udcff\nnewline.txt",
        prepare=_names_that_are_no_text,
    ),
    "symlinked_data": shape("python", "train.py", made="scaled.txt", prepare=_links),
    "sqlite_file": shape(
        "python",
        "experiment.py",
        made="results.db, report.csv",
        prepare=_database,
        accepted={"results.db": _another_sqlite},
    ),
    "c_extension": shape("python", "run.py", made="sum.txt", prepare=_extension),
    "awk_only": shape("awk", "-f", "summary.awk", "table.csv", made="summary.csv"),
    "editable_install": shape("python", "train.py", made="made.json", packages=("-e", "{beside}/library")),
    "hydra_app": shape(
        "python",
        "train.py",
        "optimizer=adam",
        made="outputs/*/*/metrics.json, outputs/*/*/train.log, outputs/*/*/.hydra/config.yaml, "
        "outputs/*/*/.hydra/hydra.yaml, outputs/*/*/.hydra/overrides.yaml",
        packages=("hydra-core==1.3.2",),
        unseeded=True,
    ),
    "sklearn_script": shape(
        "python", "train.py", made="model.pkl, metrics.json", packages=NUMERIC, unseeded=True
    ),
    "notebook": shape(
        *NOTEBOOK.split(),
        made="executed.ipynb, summary.json",
        packages=("nbconvert==7.16.6", "ipykernel==6.29.5"),
        accepted={"executed.ipynb": _other_times_of_cells},
    ),
}
"""What is not said to be accepted must be identical: unseeded randomness and the time come from tapes."""


class Author(NamedTuple):
    """A project with its environment and what is beside it; all is deleted after the freeze."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    def environment(self, packages: tuple[str, ...]) -> Path:
        """The ``bin`` folder of a new environment."""
        folder = self.folder / "venv"
        if not packages:
            return _packages.make_environment(folder)
        words = [word.format(beside=self.folder) for word in packages]
        return _packages.make_environment_with_uv(folder, *words)


def author_of(name: str, folder: Path) -> Author:
    author = Author(folder)
    shutil.copytree(PROJECTS / name, author.project)
    beside = author.project / "beside"
    for path in beside.iterdir() if beside.is_dir() else ():
        path.rename(folder / path.name)
    if beside.is_dir():
        beside.rmdir()
    return author


def freeze(author: Author, shape: Shape, *, to: Path) -> Path:
    """Freeze and leave: the folder ``to`` holds the lock and its store, and the rest is gone."""
    if shape.prepare is not None:
        shape.prepare(author.project)
    environment = author.environment(shape.packages)
    variables = {name: value.format(beside=author.folder) for name, value in shape.variables.items()}
    offline = () if shape.packages else ("--offline",)
    words = ("freeze", *offline, "--", *shape.command)
    done = run(*words, cwd=author.project, env=variables, path=[environment])
    assert done.returncode == 0, done.stdout + done.stderr
    to.mkdir()
    for name in ("envfreeze.lock", ".envfreeze"):
        shutil.move(author.project / name, to / name)
    shutil.rmtree(author.folder)
    return to


def replay(reviewer: Path, engine: str, path: Sequence[Path] = ()) -> dict[str, dict[str, Any]]:
    """Outputs that count, by path, as a replay's ``--json`` tells of them."""
    done = run("replay", "--engine", engine, "--require", "identical", "--json", cwd=reviewer, path=path)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    outputs = {output["path"]: output for output in done.json["outputs"] if output["counts"]}
    same = all(output["verdict"] == "identical" for output in outputs.values())
    assert (done.returncode == 0) == same, done.stdout
    return outputs


def gaps(reviewer: Path) -> str:
    lock = yaml.safe_load((reviewer / "envfreeze.lock").read_text())
    return "\n".join(f"{gap['what']}: {gap['why']}" for gap in lock.get("gaps", ()))


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Freezes a shape once, however many engines replay it."""

    @functools.cache
    def make(name: str) -> Path:
        base = tmp_path_factory.mktemp(name)
        return freeze(author_of(name, base / "author"), SHAPES[name], to=base / "reviewer")

    return make


def _cases() -> Iterator[Any]:
    for name, shape in SHAPES.items():
        marks = [pytest.mark.index] if shape.packages else []
        if name == "c_extension":
            marks.append(pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"))
        if shape.unseeded:
            marks.append(needs_shim)
        yield pytest.param(name, id=name, marks=marks)


@pytest.mark.parametrize("name", list(_cases()))
@pytest.mark.parametrize("engine", ENGINES)
def test_a_shape(frozen: Callable[[str], Path], tmp_path: Path, name: str, engine: str) -> None:
    shape = SHAPES[name]
    reviewer = Path(shutil.copytree(frozen(name), tmp_path / "reviewer", symlinks=True))
    judge(shape, replay(reviewer, engine))


def judge(shape: Shape, outputs: dict[str, dict[str, Any]]) -> None:
    """All that the shape makes is there, and identical or accepted."""
    made = {_DATED.sub("outputs/*/*/", path) for path in outputs}
    assert made == {*shape.made, "<stdout>", "<exit status>"}
    for path, output in outputs.items():
        accepted = shape.accepted.get(path)
        assert output["verdict"] == "identical" or (accepted and accepted(output)), output


@pytest.mark.parametrize("name", ["outside_data", "symlinked_data", "overwritten_input"])
def test_a_shape_without_bubblewrap(
    frozen: Callable[[str], Path], tmp_path: Path, no_bubblewrap: Path, name: str
) -> None:
    """Without mounts, what lay beside the project lies beside it again, in a folder of the replay."""
    reviewer = Path(shutil.copytree(frozen(name), tmp_path / "reviewer", symlinks=True))
    judge(SHAPES[name], replay(reviewer, "local", path=[no_bubblewrap]))


_DATED = re.compile("^outputs/[0-9-]+/[0-9-]+/")
"""Hydra's folder for a run."""


# Downloads: only the shim sees connections


class _Numbers(http.server.BaseHTTPRequestHandler):
    """A data set."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"1 2 3\n")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a server; nobody is there any more after ``freeze_download``."""
    serving = http.server.ThreadingHTTPServer(("0.0.0.0", 0), _Numbers)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://{own_address()}:{serving.server_port}/numbers.txt"
    serving.shutdown()
    serving.server_close()


def own_address() -> str:
    """An address of this machine that other machines would use too; nothing is sent (udp(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def freeze_download(server: str, script: str, folder: Path, name: str = "download", **more: str) -> Path:
    """Freeze a run that downloads; a replay has no network, so that the server is gone for it."""
    variables = {"no_proxy": "*", **more}
    address = shape("python", script, server, made="total.txt", variables=variables)
    reviewer = freeze(author_of(name, folder / "author"), address, to=folder / "reviewer")
    if not own_address().startswith("127."):
        assert f"network: the run connected to {own_address()}:" in gaps(reviewer)
    return reviewer


@needs_shim
@pytest.mark.parametrize("engine", ENGINES)
def test_a_download_that_lands_in_a_file_is_there_in_the_replay(
    server: str, tmp_path: Path, engine: str
) -> None:
    outputs = replay(freeze_download(server, "cached.py", tmp_path), engine)
    assert {path: output["verdict"] for path, output in outputs.items()} == dict.fromkeys(
        ["total.txt", "<stdout>", "<exit status>"], "identical"
    )


@needs_shim
@pytest.mark.parametrize("engine", ENGINES)
def test_downloads_into_the_caches_of_libraries_are_there_in_the_replay(
    server: str, tmp_path: Path, engine: str
) -> None:
    home = {"HOME": "{beside}/home", "XDG_CACHE_HOME": "{beside}/home/.cache"}
    reviewer = freeze_download(server, "train.py", tmp_path, "download_caches", **home)
    outputs = replay(reviewer, engine)
    assert {path: output["verdict"] for path, output in outputs.items()} == dict.fromkeys(
        ["total.txt", "<stdout>", "<exit status>"], "identical"
    )


@needs_shim
def test_a_download_into_memory_fails_in_the_replay(server: str, tmp_path: Path) -> None:
    """Nothing was there to keep; the lock's gap said so beforehand."""
    outputs = replay(freeze_download(server, "streamed.py", tmp_path), "local")
    assert outputs["<exit status>"]["verdict"] == "different"
    assert outputs["total.txt"]["verdict"] == "missing"

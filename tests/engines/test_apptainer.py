"""The apptainer engine against a stand-in that notes what it is called with, not against Apptainer."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from pathlib import Path

import pytest

from envfreeze.engines import _apptainer, _container_engine
from envfreeze.engines.apptainer import ENGINE
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.progress import Silent
from envfreeze.recipe.render import render
from envfreeze.records.environment import Interpreter
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import BaseImage, Recipe
from envfreeze.records.run import Gpus, Image, Job, Limits
from envfreeze.store import Store

STAND_IN = """\
#!{python}
import csv, json, os, subprocess, sys
words = sys.argv[1:]
with open({notes!r}, "a") as stream:
    stream.write(json.dumps([words, dict(os.environ)]) + "\\n")
if words == ["--version"]:
    print("apptainer version 1.3.4")
elif words[0] == "build":
    folder = words[2].split(":")[1]
    if not os.path.exists(folder + "/index.json"):
        sys.exit("FATAL: no layout")
    open(words[1], "w").write("SIF")
else:
    mounts = {{}}
    for at, word in enumerate(words):
        if word == "--mount":
            fields = dict(field.partition("=")[::2] for field in next(csv.reader([words[at + 1]])))
            mounts[fields["destination"]] = fields["source"]
    sif = next(at for at, word in enumerate(words) if word.endswith(".sif"))
    directory = words[words.index("--pwd") + 1]
    place = max((path for path in mounts if (directory + "/").startswith(path + "/")), key=len)
    inside = {{name[13:]: value for name, value in os.environ.items() if name.startswith("APPTAINERENV_")}}
    inside["PATH"] = os.environ["PATH"]
    sys.exit(subprocess.run(
        words[sif + 1:], cwd=mounts[place] + directory[len(place):], env=inside
    ).returncode)
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in, which is the only Apptainer on the PATH, notes its calls."""
    programs, notes = tmp_path / "bin", tmp_path / "notes"
    programs.mkdir()
    (programs / "apptainer").write_text(STAND_IN.format(python=sys.executable, notes=str(notes)))
    (programs / "apptainer").chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return notes


def calls(notes: Path) -> list[tuple[list[str], dict[str, str]]]:
    return [tuple(json.loads(line)) for line in notes.read_text().splitlines()]


@pytest.fixture
def recipe() -> Recipe:
    lock = Lock(envfreeze_lock=1, interpreter=Interpreter(implementation="CPython", version="3.11.7"))
    return render(lock, BaseImage(reference="python:3.11.7-slim-bookworm"))


def blob(folder: Path, value: object) -> dict[str, object]:
    data = json.dumps(value).encode()
    digest = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


@pytest.fixture
def store(tmp_path: Path, recipe: Recipe) -> Store:
    """In an unpacked bundle with the recipe's image."""
    made = Store(tmp_path / "project")
    made.create()
    (made.root / "bundle").write_text("../bundle")
    place = tmp_path / "bundle" / "environments" / recipe.environment_id[:12] / "image"
    labels = {"envfreeze.environment-id": recipe.environment_id}
    blobs = place / "blobs/sha256"
    config = blob(blobs, {"config": {"Labels": labels, "Env": ["PATH=/bin", "CONDA_PREFIX=/opt/conda"]}})
    manifest = blob(blobs, {"config": config, "layers": []})
    name = {"org.opencontainers.image.ref.name": recipe.environment_id[:16]}
    (place / "index.json").write_text(json.dumps({"manifests": [manifest | {"annotations": name}]}))
    return made


@pytest.fixture
def image(notes: Path, store: Store, recipe: Recipe) -> Image:
    return ENGINE.build(recipe, store, progress=Silent())


def test_check_says_the_version_or_how_to_get_it(notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ENGINE.check().found == "apptainer version 1.3.4"
    monkeypatch.setenv("PATH", "/nowhere")
    assert "module load" in ENGINE.check().mend


def test_image_comes_from_the_bundle_and_only_once(
    notes: Path, image: Image, store: Store, recipe: Recipe
) -> None:
    assert image.built
    assert image.notes == ("the image is the bundle's own",)
    words, _ = calls(notes)[0]
    assert words[0] == "build"
    assert words[2] == f"oci:image:{recipe.environment_id[:16]}"
    assert not ENGINE.build(recipe, store, progress=Silent()).built
    assert len(calls(notes)) == 1


def test_image_of_another_environment_is_not_taken(
    notes: Path, store: Store, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise EnvironmentFailure("no engine")

    monkeypatch.setattr(_container_engine, "preferred", none)
    for path in (store.bundle or Path()).rglob("blobs/sha256/*"):
        path.write_bytes(path.read_bytes().replace(recipe.environment_id.encode(), b"0" * 64))
    with pytest.raises(InputError, match="needs the image of a bundle") as failure:
        ENGINE.build(recipe, store, progress=Silent())
    assert "--with-image" in str(failure.value.hint)


def test_failed_build_leaves_nothing(notes: Path, store: Store, recipe: Recipe, tmp_path: Path) -> None:
    program = tmp_path / "bin/apptainer"
    program.write_text("#!/bin/sh\necho 'FATAL: no room' >&2\nexit 255\n")
    with pytest.raises(EnvironmentFailure, match="no room"):
        ENGINE.build(recipe, store, progress=Silent())
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_run_lays_files_out_and_takes_outputs(
    notes: Path, image: Image, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPTAINER_BIND", "/:/host")
    monkeypatch.setenv("APPTAINERENV_SECRET", "x")
    entry = FileEntry(path='in, "a".txt', size=5, sha256=store.add_bytes(b"given"))
    code = "import os; open('out', 'w').write(open('in, \"a\".txt').read() + os.environ['A']); print('said')"
    job = Job(
        command=("/home/me/venv/bin/python", "-c", code),
        project='/home/alice/x, "y"',
        directory='/home/alice/x, "y"',
        files=(entry,),
        environment={"A": "$b `c`", "PATH": "/nowhere", "HOME": "/home/alice"},
    )
    folder = tmp_path / "result"
    (folder / "outputs").mkdir(parents=True)
    result = ENGINE.run(image, job, store, folder, progress=Silent())
    assert (result.exit_status, (folder / "stderr").read_text()) == (0, "")
    assert (folder / "stdout").read_text() == "said\n"
    assert {path.name: path.read_text() for path in (folder / "outputs").iterdir()} == {"out": "given$b `c`"}
    assert (result.project, result.prefix) == (job.project, "/opt/conda")
    assert "network" in result.isolated
    assert "users" in result.not_isolated
    words, variables = calls(notes)[-1]
    assert words[:3] == ["exec", "--containall", "--no-privs"]
    assert words[words.index("--net") + 1 :][:2] == ["--network", "none"]
    assert words[words.index(image.reference) + 1] == "python"
    assert "APPTAINER_BIND" not in variables
    assert "APPTAINERENV_SECRET" not in variables
    assert "APPTAINERENV_PATH" not in variables


def test_time_limit_ends_it(image: Image, store: Store, tmp_path: Path) -> None:
    code = "import time; open('part', 'w').write('x'); time.sleep(60)"
    job = Job(command=("python", "-c", code), project="/w", directory="/w", limits=Limits(timeout=2.0))
    (tmp_path / "result/outputs").mkdir(parents=True)
    result = ENGINE.run(image, job, store, tmp_path / "result", progress=Silent())
    assert (result.exit_status, result.timed_out) == (124, True)
    assert (tmp_path / "result/outputs/part").read_text() == "x"


def test_network_and_gpus_only_when_asked() -> None:
    settings = {"directory": "/w", "home": _apptainer.Mount(Path("/h"), "/home/x", True), "mounts": ()}
    plain = _apptainer.exec_command("a", "i.sif", ["c"], network=False, gpus=None, **settings)
    assert not {"--nv", "--rocm"} & set(plain)
    given = _apptainer.exec_command("a", "i.sif", ["c"], network=True, gpus=Gpus(), **settings)
    assert "--nv" in given
    assert "--net" not in given


@pytest.mark.parametrize("path", ["/a", "/a,b", '/a "b"', "/ä\nb", " "])
def test_any_path_can_be_mounted(path: str) -> None:
    option = _apptainer.mount_option(_apptainer.Mount(Path(path), path, False))
    fields = next(csv.reader(io.StringIO(option, newline="")))
    assert fields == ["type=bind", f"source={path}", f"destination={path}", "ro"]


def test_missing_image_is_said(notes: Path, store: Store, tmp_path: Path) -> None:
    gone = Image(engine="apptainer", reference=str(tmp_path / "none.sif"), environment_id="0" * 64)
    with pytest.raises(EnvironmentFailure, match="not there"):
        ENGINE.run(
            gone, Job(command=("true",), directory="/w", project="/w"), store, tmp_path, progress=Silent()
        )

"""Exports of whole folders: read by the tools that they are for, where those can be had."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml

from envfreeze import workflow
from envfreeze.errors import InputError
from envfreeze.records import lockfile
from envfreeze.records.environment import Cpu
from envfreeze.records.files import FileEntry, FileSet, StreamEntry
from envfreeze.records.observation import Observation
from envfreeze.records.recipe import BaseImage
from envfreeze.store import Store

from .test_exports import frozen, run  # noqa: F401 - the fixture

TRAIN = b"import tiny\nopen('out/a b.txt', 'w').write('1')\n"
LAYOUTS = ("devcontainer", "binder", "wholetale", "codeocean")


@pytest.fixture
def project(frozen: Path) -> Path:  # noqa: F811
    """The frozen project with a run in a subfolder."""
    store = Store(frozen)
    code = FileEntry(path="sub/train.py", size=len(TRAIN), sha256=store.add_bytes(TRAIN), kind="code")
    made = FileEntry(path="sub/out/a b.txt", size=1, sha256=store.add_bytes(b"1"))
    stream = StreamEntry(sha256="0" * 64)
    observation = Observation(
        command=("/home/me/venv/bin/python", "train.py", "--name", "it's $HOME"),
        directory="/p/sub",
        project="/p",
        files=FileSet(count=1, entries=(code,)),
        outputs=FileSet(count=1, entries=(made,)),
        stdout=stream,
        stderr=stream,
        duration=3000.0,
        peak_memory=3 << 30,
    )
    path = frozen / "envfreeze.lock"
    lock = msgspec.structs.replace(
        lockfile.read(path),
        run=observation,
        cpu=Cpu(usable_cores=8),
        base=BaseImage(reference="python:3.11.7-slim-bookworm"),
    )
    lockfile.write(lock, path)
    return frozen


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_second_export_writes_the_same(project: Path, tmp_path: Path, name: str) -> None:
    workflow.export(project, to=name, output=tmp_path / "out")
    before = content(tmp_path / "out")
    workflow.export(project, to=name, output=tmp_path / "out")
    assert content(tmp_path / "out") == before
    assert any(path.endswith("tiny-1.0-py3-none-any.whl") for path in before)


@pytest.mark.parametrize("name", LAYOUTS)
def test_files_of_the_user_are_never_replaced(project: Path, tmp_path: Path, name: str) -> None:
    paths = [Path(path) for path, _ in workflow.export(project, to=name, output=tmp_path / "out")]
    for path in paths:
        shutil.rmtree(tmp_path / "out")
        path.parent.mkdir(parents=True)
        path.write_text("mine\n")
        with pytest.raises(InputError, match="envfreeze did not make it"):
            workflow.export(project, to=name, output=tmp_path / "out")
        assert content(tmp_path / "out") == {str(path.relative_to(tmp_path / "out")): b"mine\n"}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_has_to_be_named(project: Path, name: str) -> None:
    with pytest.raises(InputError, match="several files"):
        workflow.export(project, to=name)


def test_other_python_is_written_over_the_old_one(project: Path, tmp_path: Path) -> None:
    workflow.export(project, to="wholetale", output=tmp_path / "out")
    (tmp_path / "out/runtime.txt").write_text("python-3.5\n")
    workflow.export(project, to="wholetale", output=tmp_path / "out")
    series = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (tmp_path / "out/runtime.txt").read_text() == f"python-{series}\n"


def test_capsule_runs_the_recorded_code(project: Path, tmp_path: Path) -> None:
    """The script itself, with the capsule's folders moved here and a Python that says what it gets."""
    out = tmp_path / "out"
    workflow.export(project, to="codeocean", output=out)
    assert (out / "code/sub/train.py").read_bytes() == TRAIN
    assert yaml.safe_load((out / "metadata/metadata.yml").read_text())["metadata_version"] == 1
    assert (out / "environment/.envfreeze/build/requirements.txt").exists()
    assert "COPY .envfreeze/build/" in (out / "environment/Dockerfile").read_text()
    (out / "results").mkdir()
    (out / "code/sub/out").mkdir()
    script = (out / "code/run").read_text()
    assert os.access(out / "code/run", os.X_OK)
    script = script.replace("/code", str(out / "code")).replace("/results", str(out / "results"))
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nprintf '%s|' \"$@\" > 'out/a b.txt'\n")
    python.chmod(0o755)
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", script], env=environment, check=True, capture_output=True)
    assert (out / "results/sub/out/a b.txt").read_text() == "train.py|--name|it's $HOME|"


def test_changed_code_in_a_capsule_is_not_written_over(project: Path, tmp_path: Path) -> None:
    workflow.export(project, to="codeocean", output=tmp_path / "out")
    (tmp_path / "out/code/sub/train.py").write_text("mine")
    with pytest.raises(InputError, match="not the file that was recorded"):
        workflow.export(project, to="codeocean", output=tmp_path / "out")


def test_batch_script_calls_apptainer_with_the_recorded_command(project: Path, tmp_path: Path) -> None:
    ((path, text),) = workflow.export(project, to="slurm", output=f"{tmp_path}/out/")
    assert "#SBATCH --cpus-per-task=8" in text
    assert "#SBATCH --mem=6144M" in text
    assert "#SBATCH --time=100" in text
    assert "--gpus" not in text
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, code in (("srun", 'exec "$@"'), ("apptainer", "printf '%s\\n' \"$@\"")):
        (programs / name).write_text(f"#!/bin/sh\n{code}\n")
        (programs / name).chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "SLURM_SUBMIT_DIR": str(tmp_path / "out")}
    missing = subprocess.run([path], env=environment, capture_output=True, text=True, check=False)
    assert (missing.returncode, "envfreeze.sif" in missing.stderr) == (3, True)
    (tmp_path / "out/envfreeze.sif").touch()
    said = subprocess.run([path], env=environment, capture_output=True, text=True, check=True).stdout
    words = said.splitlines()
    assert words[0] == "exec"
    assert {"--containall", "--no-home", "--net"} <= set(words)
    assert words[words.index("--network") + 1] == "none"
    assert words[words.index("--bind") + 1] == f"{tmp_path}/out:/workspace"
    assert words[words.index("--pwd") + 1] == "/workspace/sub"
    assert words[-5:] == [f"{tmp_path}/out/envfreeze.sif", "python", "train.py", "--name", "it's $HOME"]


@pytest.mark.parametrize("name", ["codeocean", "slurm"])
def test_scripts_need_a_run(frozen: Path, tmp_path: Path, name: str) -> None:  # noqa: F811
    with pytest.raises(InputError, match="no run"):
        workflow.export(frozen, to=name, output=f"{tmp_path}/out/")


def test_devcontainer_names_what_is_there(project: Path) -> None:
    workflow.export(project, to="devcontainer", output=project)
    text = (project / ".devcontainer/devcontainer.json").read_text()
    build = json.loads(text.partition("\n")[2])["build"]
    assert (project / ".devcontainer" / build["dockerfile"]).exists()
    context = (project / ".devcontainer" / build["context"]).resolve()
    assert (context / ".envfreeze/build/wheels/tiny-1.0-py3-none-any.whl").exists()


@pytest.mark.skipif(
    shutil.which("devcontainer") is None, reason="no devcontainer (npm i -g @devcontainers/cli)"
)
def test_devcontainer_is_read_by_its_tool(project: Path) -> None:
    workflow.export(project, to="devcontainer", output=project)
    said = run("devcontainer", "read-configuration", "--workspace-folder", project, cwd=project)
    configuration = json.loads(said)["configuration"]
    assert configuration["remoteUser"] == "envfreeze"


R2D = """
import json, os, sys
from repo2docker.app import Repo2Docker
os.chdir(sys.argv[1])
app = Repo2Docker()
for pack in app.buildpacks:
    found = pack(app.base_image)
    found.platform = "linux/amd64"
    if found.detect():
        break
version = getattr(found, "python_version", "")
print(json.dumps([type(found).__name__, version, found.render(build_args={})]))
"""


@pytest.mark.parametrize(("name", "pack"), [("binder", "DockerBuildPack"), ("wholetale", "PythonBuildPack")])
def test_repo2docker_takes_it(project: Path, tmp_path: Path, name: str, pack: str) -> None:
    pytest.importorskip("repo2docker")
    workflow.export(project, to=name, output=tmp_path / "out")
    said = run(sys.executable, "-c", R2D, tmp_path / "out", cwd=tmp_path)
    found, version, text = json.loads(said.splitlines()[-1])
    assert found == pack
    if name == "binder":
        assert text == (tmp_path / "out/.binder/Dockerfile").read_text()
    else:
        assert version == f"{sys.version_info.major}.{sys.version_info.minor}"
        assert '-r "requirements.txt"' in text


NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": "a",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": ["import six, sys, tornado\n", "print('said', six.__version__, sys.prefix)"],
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.index
def test_notebook_in_binder_runs_in_the_frozen_python(project: Path) -> None:
    """Jupyter brings a newer six; what the notebook imports is the frozen one."""
    from envfreeze.engines._docker_build import buildkit_client

    docker = buildkit_client(os.environ["PATH"])
    if docker is None:
        pytest.skip("no client of BuildKit")
    workflow.export(project, to="binder", output=project)
    (project / "a.ipynb").write_text(json.dumps(NOTEBOOK))
    trusted = "PIP_TRUSTED_HOST=pypi.org files.pythonhosted.org"
    words = ("build", "-q", "--build-arg", trusted, "-f", ".binder/Dockerfile", ".")
    subprocess_environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    built = subprocess.run(
        [docker, *words], cwd=project, env=subprocess_environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    image = built.stdout.strip()
    try:
        execute = ("jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", "a.ipynb")
        said = run(docker, "run", "--rm", "--network", "none", image, *execute, cwd=project)
        assert "said 1.16.0 /usr/local" in said
    finally:
        run(docker, "rmi", "-f", image, cwd=project)

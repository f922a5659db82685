"""The example of a paper's artifact, from author to reviewer: with wheels, with image, without envfreeze."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze import artifacts
from envfreeze.resources import resource

from ..command import envfreeze

SLIM = "python:3.11-slim-bookworm"
pytestmark = [pytest.mark.index, pytest.mark.xdist_group("paper")]


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, frozen as its README says."""
    folder = tmp_path_factory.mktemp("author") / "paper"
    shutil.copytree(resource("examples/paper"), folder)
    python = folder / ".venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", python, "-r", "requirements.txt"]
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    environment = {"SSL_CERT_FILE": bundle} if Path(bundle).exists() else {}
    subprocess.run(uv, cwd=folder, check=True, env=environment | os.environ)
    for name, more in (("table1", ["--minimal", "python table1.py --repeats 2"]), ("figure1", [])):
        frozen = envfreeze("freeze", "-q", "--", ".venv/bin/python", f"{name}.py", cwd=folder)
        assert frozen.returncode == 0, frozen.stderr
        added = envfreeze("add-experiment", name, "--title", f"{name[:-1].title()} 1", *more, cwd=folder)
        assert added.returncode == 0, added.stderr
    return folder


@pytest.fixture(scope="module")
def bundle(author: Path) -> Path:
    path = author.parent / "paper.envfreeze.zip"
    artifacts.pack(author, path, wheels=True)
    return path


def test_each_claim_goes_with_the_experiment_that_makes_its_files(bundle: Path, tmp_path: Path) -> None:
    folder, content = artifacts.unpack(bundle, tmp_path / "out")
    claims = {one.name: [claim.id for claim in one.claims] for one in content.experiments}
    assert claims == {"table1": ["discriminant-wins", "near-perfect"], "figure1": ["few-flowers"]}
    readme = (folder / "README.md").read_text()
    assert "results/figure1/project/figure1.csv" in readme and "./run.sh figure1" in readme
    assert "table1.csv: method=discriminant.accuracy >= 0.97" in readme
    (minimal,) = [one for one in content.experiments if one.name == "figure1"]
    assert minimal.minimal == ("python", "figure1.py", "--repeats", "1")
    assert "not tried" in minimal.minimal_origin


def test_a_reviewer_with_envfreeze_gets_verdict_claims_and_report(bundle: Path, tmp_path: Path) -> None:
    verified = envfreeze("verify", bundle, cwd=tmp_path)
    assert verified.returncode == 0 and "all packages travel along" in verified.stdout
    local = ("--engine", "local", "--yes", "--experiment", "table1")
    done = envfreeze("replay", bundle, *local, "--report", "report.html", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Reproduced" in done.stdout
    assert "beats the nearest centroid" in (tmp_path / "report.html").read_text()
    short = envfreeze("replay", bundle, *local, "--minimal", cwd=tmp_path)
    assert short.returncode == 0, short.stderr
    assert "nothing was compared" in short.stdout and "--repeats 2" in short.stderr


@pytest.mark.engine
def test_in_a_clean_container_without_network_the_claims_hold(bundle: Path, tmp_path: Path) -> None:
    """No envfreeze, index, registry or Docker; not root; and the bundle lies on a read-only disk."""
    folder, _ = artifacts.unpack(bundle, tmp_path / "a folder; with 'signs'")
    folder.parent.chmod(0o755)
    tmp_path.chmod(0o755)

    def run(*words: str, mode: str = "ro", user: str = "1234:1234") -> subprocess.CompletedProcess[str]:
        command = [
            "docker", "run", "--rm", "--network", "none", "--user", user, "-w", "/tmp", "-e", "HOME=/nowhere",
            "--mount", f"type=bind,source={folder},target=/the paper,readonly" if mode == "ro" else mode,
            SLIM, *words,
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)

    done = run("/the paper/run.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^holds ", done.stdout, re.M)) == 3
    assert done.stdout.count("Reproduced") == 2
    none = run("sh", "-c", "rm -f /usr/local/bin/python*; '/the paper/run.sh' table1", user="0:0")
    assert none.returncode == 3
    assert "uv python install 3.11" in none.stderr


@pytest.mark.engine
@pytest.mark.slow
def test_index_and_registry_are_gone_and_the_image_travels_along(author: Path, tmp_path: Path) -> None:
    import docker

    path = tmp_path / "paper.envfreeze.zip"
    packed = artifacts.pack(author, path, image=True)
    environments = packed.bundle.environments
    tags = [f"envfreeze:{environment.environment_id[:16]}" for environment in environments]
    client = docker.from_env()

    def forget() -> None:
        for tag in tags:
            client.images.remove(tag, force=True)

    try:
        forget()
        folder, _ = artifacts.unpack(path, tmp_path / "out")
        for environment in environments:  # nothing can be built: what it would start from is nowhere
            (folder / environment.folder / "Dockerfile").write_text("FROM registry.invalid/gone:1\n")
        done = subprocess.run(["./run.sh"], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "loading the image" in done.stdout
        assert len(re.findall(r"^holds ", done.stdout, re.M)) == 3
        short = subprocess.run(
            ["./run.sh", "--minimal", "figure1"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert short.returncode == 0 and "Nothing was compared" in short.stdout, short.stdout + short.stderr
        forget()
        replayed = envfreeze(
            "replay", path, "--engine", "docker", "--experiment", "figure1", "--json", cwd=tmp_path
        )
        assert replayed.returncode == 0, replayed.stderr
        assert json.loads(replayed.stdout)["verdict"] == "identical"
        assert "building" not in replayed.stderr
    finally:
        with contextlib.suppress(docker.errors.DockerException):
            forget()
        client.close()

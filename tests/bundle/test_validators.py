"""Bundles before other people's validators, each where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze import artifacts

pytestmark = pytest.mark.slow


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("author") / "it's a project"
    folder.mkdir()
    (folder / "train.py").write_text("open('out.txt', 'w').write('1')\n")
    python = folder.parent / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder.parent / "venv"], check=True)
    command = [sys.executable, "-m", "envfreeze", "freeze", "-q", "--offline", "--", python, "train.py"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def unpacked(project: Path) -> Path:
    artifacts.pack(project, project.parent / "paper.zip")
    return artifacts.unpack(project.parent / "paper.zip", project.parent / "out")[0]


def passes(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_sha256sum_finds_every_file_as_listed(unpacked: Path) -> None:
    assert "FAILED" not in passes("sha256sum", "-c", "--strict", "SHA256SUMS", cwd=unpacked)
    listed = {line.partition("  ")[2] for line in (unpacked / "SHA256SUMS").read_text().splitlines()}
    here = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if not path.is_dir()}
    assert here == listed | {"SHA256SUMS"}


@needs("hadolint")
def test_hadolint_has_nothing_to_say_of_the_dockerfile(unpacked: Path) -> None:
    for dockerfile in unpacked.glob("environments/*/Dockerfile"):
        assert passes("hadolint", dockerfile, cwd=unpacked) == ""


@needs("shellcheck")
def test_shellcheck_finds_no_fault_in_the_scripts(unpacked: Path) -> None:
    """Variables of one file that the other sets are none (SC2154, SC2034, SC1091)."""
    scripts = [unpacked / "run.sh", *unpacked.glob("experiments/*/job.sh")]
    passes("shellcheck", "-s", "sh", "-S", "warning", "-e", "SC2154,SC2034,SC1091", *scripts, cwd=unpacked)


@needs("skopeo")
@pytest.mark.engine
def test_skopeo_reads_the_image_and_copies_it_whole(project: Path, tmp_path: Path) -> None:
    artifacts.pack(project, tmp_path / "paper.zip", image=True)
    folder, content = artifacts.unpack(tmp_path / "paper.zip", tmp_path / "out")
    (environment,) = content.environments
    layout = f"oci:{folder / environment.folder / 'image'}:{environment.environment_id[:16]}"
    found = json.loads(passes("skopeo", "inspect", layout, cwd=tmp_path))
    assert found["Labels"]["envfreeze.environment-id"] == environment.environment_id
    passes("skopeo", "copy", "-q", layout, f"dir:{tmp_path / 'copy'}", cwd=tmp_path)  # checks each digest

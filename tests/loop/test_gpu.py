"""A run that used a GPU, from a recorded nvidia-smi: what is written down, and what its replay says."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

import pytest
import yaml

from envfreeze.observer import inject

from .conftest import ENGINES, run

pytestmark = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")

SMI = """#!/bin/sh
case "$1" in
--query-gpu=*) echo '550.54.15, NVIDIA H100 80GB HBM3, 81559, Disabled, 9.0' ;;
*) echo '| NVIDIA-SMI 550.54.15    Driver Version: 550.54.15    CUDA Version: 12.4     |' ;;
esac
"""
TRAIN = "import ctypes, sys\nfor path in sys.argv[1:]:\n    ctypes.CDLL(path)\nprint('trained')\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """An nvidia-smi, a driver, and cuBLAS as a toolkit has it: any library stands for them."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nvidia-smi").write_text(SMI)
    (tmp_path / "bin" / "nvidia-smi").chmod(0o755)
    library = next(Path(sysconfig.get_config_var("DESTSHARED")).glob("*.so"))
    for name in ("libcuda.so.550.54.15", "libcublas.so.12.4.5.8"):
        shutil.copy(library, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("engine", ENGINES)
def test_gpu_that_is_not_allowed(machine: Path, bare_environment: Path, engine: str) -> None:
    project = machine / "project"
    project.mkdir()
    (project / "train.py").write_text(TRAIN)
    libraries = sorted(map(str, machine.glob("*.so.*")))
    words = ("freeze", "--offline", "--", "python", "train.py", *libraries)
    variables = {"CUDA_VISIBLE_DEVICES": "3"}
    done = run(*words, cwd=project, env=variables, path=[machine / "bin", bare_environment])
    assert done.returncode == 0, done.stdout + done.stderr
    lock = yaml.safe_load((project / "envfreeze.lock").read_text())
    assert lock["cuda"]["used"] is True
    assert [item["name"] for item in lock["cuda"]["libraries"]] == ["cublas"]
    assert "VISIBLE_DEVICES" not in (project / "Dockerfile").read_text()
    done = run("show", cwd=project)
    assert "NVIDIA H100 80GB HBM3, 79.6 GiB" in done.stdout
    done = run("replay", "--engine", engine, "--json", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    (note,) = [note for note in done.json["run"]["notes"] if "GPU" in note]
    assert "used a GPU (NVIDIA H100 80GB HBM3), and this replay had none" in note
    assert "cuda" not in done.json["run"]
    done = run("replay", "--engine", engine, "--gpus", "some", cwd=project)
    assert done.returncode == 2 and "--gpus 'some'" in done.stderr

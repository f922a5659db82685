"""GPUs by nvidia-smi (from recorded outputs), CUDA libraries by what is installed."""

from __future__ import annotations

from pathlib import Path

from envfreeze.probes import Section, Target
from envfreeze.probes.cuda import inspect
from envfreeze.records.environment import Gpu

TABLE = """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |
|-----------------------------------------+------------------------+----------------------+
"""


def nvidia_smi(folder: Path, query: str, status: int = 0, table: str = TABLE, old: bool = False) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "query").write_text(query)
    (folder / "table").write_text(table)
    refuse = 'case "$1" in *compute_cap*) echo \'Field "compute_cap" is not a valid field.\'; exit 2;; esac'
    (folder / "nvidia-smi").write_text(
        "#!/bin/sh\n"
        + (refuse if old else "")
        + f'\ncase "$1" in --query-gpu=*) cat {folder}/query; exit {status};; *) cat {folder}/table;; esac\n'
    )
    (folder / "nvidia-smi").chmod(0o755)


def inspected(tmp_path: Path, *distributions: tuple[str, str]) -> Section:
    facts = {
        "distributions": [
            {"name": name, "version": version, "location": str(tmp_path / "site")}
            for name, version in distributions
        ]
        + [{"error": "broken", "where": "somewhere"}]
    }
    return inspect(
        Target(
            executable="python",
            directory=str(tmp_path),
            environment={"PATH": f"{tmp_path}/bin:/bin:/usr/bin"},
            facts=facts,
            project=tmp_path,
        )
    )


def test_neither_gpu_nor_packages(tmp_path: Path) -> None:
    section = inspected(tmp_path, ("numpy", "2.0"))
    assert section.value is None and section.gaps == ()


def test_two_gpus(tmp_path: Path) -> None:
    nvidia_smi(
        tmp_path / "bin",
        "550.54.15, NVIDIA H100 80GB HBM3, 81559, 9.0\n550.54.15, NVIDIA A100-SXM4-40GB, 40960, 8.0\n",
    )
    value = inspected(tmp_path).value
    assert value.gpus == (
        Gpu(model="NVIDIA H100 80GB HBM3", memory=81559 << 20, compute_capability="9.0"),
        Gpu(model="NVIDIA A100-SXM4-40GB", memory=40960 << 20, compute_capability="8.0"),
    )
    assert (value.driver, value.driver_api) == ("550.54.15", "12.4")


def test_driver_without_compute_capability(tmp_path: Path) -> None:
    nvidia_smi(tmp_path / "bin", "470.57.02, Tesla V100-SXM2-16GB, 16160\n", old=True)
    value = inspected(tmp_path).value
    assert value.gpus == (Gpu(model="Tesla V100-SXM2-16GB", memory=16160 << 20),)


def test_values_that_nvml_does_not_have(tmp_path: Path) -> None:
    nvidia_smi(tmp_path / "bin", "550.54.15, GRID T4-8C, [N/A], [N/A]\n")
    assert inspected(tmp_path).value.gpus == (Gpu(model="GRID T4-8C"),)


def test_driver_that_does_not_answer_is_a_gap(tmp_path: Path) -> None:
    said = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
    nvidia_smi(tmp_path / "bin", said, status=9)
    section = inspected(tmp_path)
    assert section.value is None
    assert "couldn't communicate with the NVIDIA driver" in section.gaps[0].why


def test_machine_whose_gpus_are_gone(tmp_path: Path) -> None:
    nvidia_smi(tmp_path / "bin", "No devices were found\n", status=6)
    section = inspected(tmp_path)
    assert section.value is None and section.gaps == ()


def test_versions_of_packages(tmp_path: Path) -> None:
    (tmp_path / "site" / "torch").mkdir(parents=True)
    (tmp_path / "site" / "torch" / "version.py").write_text(
        "from typing import Optional\n__version__ = '2.4.0+cu124'\ncuda: Optional[str] = '12.4'\n"
    )
    value = inspected(
        tmp_path,
        ("torch", "2.4.0+cu124"),
        ("nvidia_cudnn_cu12", "9.1.0.70"),
        ("nvidia-nccl-cu12", "2.20.5"),
    ).value
    assert (value.runtime, value.cudnn, value.nccl, value.gpus) == ("12.4", "9.1.0.70", "2.20.5", ())
    assert value.evidence == (
        "nvidia-cudnn-cu12 9.1.0.70",
        "nvidia-nccl-cu12 2.20.5",
        "torch 2.4.0+cu124 (torch/version.py)",
    )


def test_distribution_is_more_exact_than_torch(tmp_path: Path) -> None:
    (tmp_path / "site" / "torch").mkdir(parents=True)
    (tmp_path / "site" / "torch" / "version.py").write_text("cuda = '13.0'\n")
    value = inspected(tmp_path, ("torch", "2.13.0"), ("nvidia-cuda-runtime", "13.0.96")).value
    assert value.runtime == "13.0.96"


def test_torch_without_cuda_and_tensorflow_with_it(tmp_path: Path) -> None:
    (tmp_path / "site" / "torch").mkdir(parents=True)
    (tmp_path / "site" / "torch" / "version.py").write_text("cuda: Optional[str] = None\n")
    assert inspected(tmp_path, ("torch", "2.13.0+cpu")).value is None
    folder = tmp_path / "site" / "tensorflow" / "python" / "platform"
    folder.mkdir(parents=True)
    (folder / "build_info.py").write_text(
        "build_info = collections.OrderedDict([('cuda_version', '12.5.1'), ('cudnn_version', '9'),"
        " ('is_cuda_build', True)])\n"
    )
    value = inspected(tmp_path, ("tensorflow", "2.18.0")).value
    assert (value.runtime, value.cudnn) == ("12.5.1", "9")

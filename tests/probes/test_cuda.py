"""GPUs by nvidia-smi (from recorded outputs), CUDA libraries by what is installed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from envfreeze.probes import Section, Target, _nvidia_smi
from envfreeze.probes.cuda import _toolkit, inspect
from envfreeze.records.environment import Gpu, GpuLibrary

H100 = {
    "driver_version": "550.54.15",
    "name": "NVIDIA H100 80GB HBM3",
    "memory.total": "81559",
    "mig.mode.current": "Disabled",
    "compute_cap": "9.0",
}
"""As ``nvidia-smi --query-gpu`` answers, field by field."""
GEFORCE = {
    "driver_version": "535.183.01",
    "name": "NVIDIA GeForce RTX 3090",
    "memory.total": "24576",
    "mig.mode.current": "[N/A]",
    "compute_cap": "8.6",
}


def nvidia_smi(folder: Path, *gpus: dict[str, str], api: str = "12.4", listed: str = "") -> None:
    """An nvidia-smi that answers what was recorded, and refuses fields that its driver does not know."""
    folder.mkdir(exist_ok=True)
    for number, gpu in enumerate(gpus):
        (folder / f"gpu{number}").mkdir()
        for field, value in gpu.items():
            (folder / f"gpu{number}" / field).write_text(value)
    driver = gpus[0]["driver_version"] if gpus else "550.54.15"
    (folder / "table").write_text(
        "+-----------------------------------------------------------------------------------------+\n"
        f"| NVIDIA-SMI {driver}              Driver Version: {driver}      CUDA Version: {api}     |\n"
        "|-----------------------------------------+------------------------+----------------------+\n"
    )
    (folder / "listed").write_text(listed)
    query = """
    for gpu in @/gpu*; do
        line=
        for field in $(echo "${1#*=}" | tr , ' '); do
            if [ ! -e "$gpu/$field" ]; then
                echo "Field \\"$field\\" is not a valid field to query."
                exit 2
            fi
            line="$line${line:+, }$(cat "$gpu/$field")"
        done
        echo "$line"
    done"""
    script = f'#!/bin/sh\ncase "$1" in\n--query-gpu=*){query};;\n-L) cat @/listed;;\n*) cat @/table;;\nesac\n'
    (folder / "nvidia-smi").write_text(script.replace("@", str(folder)))
    (folder / "nvidia-smi").chmod(0o755)


def failing(folder: Path, said: str, status: int) -> None:
    folder.mkdir()
    (folder / "nvidia-smi").write_text(f'#!/bin/sh\necho "{said}"\nexit {status}\n')
    (folder / "nvidia-smi").chmod(0o755)


def inspected(
    tmp_path: Path, *distributions: tuple[str, str], loaded: Sequence[Path | str] = (), **more: Any
) -> Section:
    """What the probe says; ``loaded`` is what a run had loaded, empty for no run."""
    site = tmp_path / "site"
    facts = {
        "distributions": [
            {
                "name": name,
                "version": version,
                "location": str(site),
                "path": str(site / f"{name.replace('-', '_')}-{version}.dist-info"),
            }
            for name, version in distributions
        ]
        + [{"error": "broken", "where": "somewhere"}]
    }
    variables = {"PATH": f"{tmp_path}/bin:/bin:/usr/bin", **more.pop("environment", {})}
    return inspect(
        Target(
            executable="python",
            directory=str(tmp_path),
            environment=variables,
            facts=facts | more.pop("facts", {}),
            libraries=tuple(map(str, loaded)),
            was_run=bool(loaded),
            project=tmp_path,
            **more,
        )
    )


@pytest.fixture(autouse=True)
def no_driver_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_nvidia_smi, "PROC", tmp_path / "none")


def test_neither_gpu_nor_packages(tmp_path: Path) -> None:
    section = inspected(tmp_path, ("numpy", "2.0"))
    assert section.value is None and section.gaps == ()


def test_two_gpus(tmp_path: Path) -> None:
    a100 = H100 | {"name": "NVIDIA A100-SXM4-40GB", "memory.total": "40960", "compute_cap": "8.0"}
    nvidia_smi(tmp_path / "bin", H100, a100)
    value = inspected(tmp_path).value
    assert value.gpus == (
        Gpu(model="NVIDIA H100 80GB HBM3", memory=81559 << 20, compute_capability="9.0", mig="disabled"),
        Gpu(model="NVIDIA A100-SXM4-40GB", memory=40960 << 20, compute_capability="8.0", mig="disabled"),
    )
    assert (value.driver, value.driver_api) == ("550.54.15", "12.4")


def test_consumer_card_cannot_be_divided(tmp_path: Path) -> None:
    nvidia_smi(tmp_path / "bin", GEFORCE, api="12.2")
    value = inspected(tmp_path).value
    assert value.gpus == (Gpu(model="NVIDIA GeForce RTX 3090", memory=24576 << 20, compute_capability="8.6"),)
    assert (value.driver, value.driver_api) == ("535.183.01", "12.2")


def test_gpu_that_is_divided(tmp_path: Path) -> None:
    listed = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-1d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a70)
  MIG 3g.40gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 1g.10gb+me  Device  1: (UUID: MIG-0d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a71)
  MIG 1c.3g.40gb  Device  2: (UUID: MIG-2d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a72)
"""
    nvidia_smi(tmp_path / "bin", H100, H100 | {"mig.mode.current": "Enabled"}, listed=listed)
    plain, divided = inspected(tmp_path).value.gpus
    assert (plain.mig, plain.instances) == ("disabled", ())
    assert (divided.mig, divided.instances) == ("enabled", ("3g.40gb", "1g.10gb+me", "1c.3g.40gb"))


def test_old_drivers_know_fewer_fields(tmp_path: Path) -> None:
    v100 = {
        "driver_version": "470.57.02",
        "name": "Tesla V100-SXM2-16GB",
        "memory.total": "16160",
        "mig.mode.current": "[N/A]",
    }
    nvidia_smi(tmp_path / "bin", v100)
    assert inspected(tmp_path).value.gpus == (Gpu(model="Tesla V100-SXM2-16GB", memory=16160 << 20),)
    del v100["mig.mode.current"]
    (tmp_path / "older").mkdir()
    nvidia_smi(tmp_path / "older" / "bin", v100 | {"driver_version": "440.33.01"})
    value = inspected(tmp_path / "older").value
    assert value.gpus == (Gpu(model="Tesla V100-SXM2-16GB", memory=16160 << 20),)
    assert value.driver == "440.33.01"


def test_values_that_nvml_does_not_have(tmp_path: Path) -> None:
    grid = H100 | {"name": "GRID T4-8C", **dict.fromkeys(list(H100)[2:], "[N/A]")}
    nvidia_smi(tmp_path / "bin", grid)
    assert inspected(tmp_path).value.gpus == (Gpu(model="GRID T4-8C"),)


def test_driver_that_does_not_answer_is_a_gap(tmp_path: Path) -> None:
    failing(
        tmp_path / "bin", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9
    )
    section = inspected(tmp_path)
    assert section.value is None
    assert "couldn't communicate with the NVIDIA driver" in section.gaps[0].why


def test_machine_whose_gpus_are_gone(tmp_path: Path) -> None:
    failing(tmp_path / "bin", "No devices were found", 6)
    section = inspected(tmp_path)
    assert section.value is None and section.gaps == ()


@pytest.mark.parametrize(
    "said",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build  (x@y)  Tue\n",
    ],
)
def test_container_without_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    proc = tmp_path / "proc"
    (proc / "gpus" / "0000:01:00.0").mkdir(parents=True)
    (proc / "version").write_text(f"{said}GCC version:  gcc version 12.2.0\n")
    (proc / "gpus" / "0000:01:00.0" / "information").write_text(
        "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 45\nGPU UUID: \t GPU-5d5ba0d6\n"
    )
    monkeypatch.setattr(_nvidia_smi, "PROC", proc)
    section = inspected(tmp_path, loaded=["/usr/lib/libcuda.so.550.54.15"])
    assert section.value.gpus == (Gpu(model="NVIDIA H100 80GB HBM3"),)
    assert (section.value.driver, section.value.used) == ("550.54.15", True)
    assert "nvidia-smi is not there; memory" in section.gaps[0].why
    failing(tmp_path / "bin", "Failed to initialize NVML: Driver/library version mismatch", 18)
    section = inspected(tmp_path)
    assert section.value.driver == "550.54.15"
    assert "version mismatch; memory" in section.gaps[0].why


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


def wheel(site: Path, name: str, version: str, *files: str) -> tuple[str, str]:
    """A distribution that carries libraries, as its RECORD says."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_bytes(b"")
    return name, version


def test_libraries_of_wheels_as_they_were_loaded(tmp_path: Path) -> None:
    site = tmp_path / "site"
    lib = "nvidia/cublas/lib/libcublas"
    distributions = [
        wheel(site, "nvidia-cublas-cu12", "12.4.5.8", f"{lib}.so.12", f"{lib}Lt.so.12"),
        wheel(site, "nvidia-cudnn-cu12", "9.1.0.70", "nvidia/cudnn/lib/libcudnn_ops.so.9"),
        wheel(site, "torch", "2.4.0", "torch/lib/libcudart-d0da41ae.so.11.0"),
    ]
    loaded = [path for path in site.rglob("*.so*") if path.is_file()]
    value = inspected(tmp_path, *distributions, loaded=loaded).value
    said = {item.name: (item.version, item.origin, item.package) for item in value.libraries}
    assert said == {
        "cublas": ("12.4.5.8", "wheel", "nvidia-cublas-cu12 12.4.5.8"),
        "cublasLt": ("12.4.5.8", "wheel", "nvidia-cublas-cu12 12.4.5.8"),
        "cudnn_ops": ("9.1.0.70", "wheel", "nvidia-cudnn-cu12 9.1.0.70"),
        "cudart": ("11.0", "wheel", "torch 2.4.0"),
    }
    assert value.used is False and value.toolkit == ""
    # The name of a file that says the series alone is no version of the runtime.
    assert (value.runtime, value.cudnn) == ("", "9.1.0.70")


def test_libraries_of_the_system_tell_the_toolkit(tmp_path: Path) -> None:
    lib = "/usr/local/cuda-12.4/targets/x86_64-linux/lib"
    loaded = [f"{lib}/libcudart.so.12.4.127", f"{lib}/libcublas.so.12.4.5.8", "/usr/lib/libm.so.6"]
    value = inspected(tmp_path, ("cupy-cuda12x", "13.0"), loaded=loaded).value
    assert [(item.name, item.version, item.origin) for item in value.libraries] == [
        ("cublas", "12.4.5.8", "system"),
        ("cudart", "12.4.127", "system"),
    ]
    assert (value.runtime, value.toolkit) == ("12.4.127", "12.4")
    exact = inspected(tmp_path, loaded=loaded, environment={"CUDA_VERSION": "12.4.1"}).value
    assert exact.toolkit == "12.4.1"
    own = [f"{lib}/libcublas.so.12"]
    assert inspected(tmp_path, loaded=own).value.runtime == "12.4", "the toolkit's, where none says better"
    other = inspected(tmp_path, loaded=loaded, environment={"CUDA_VERSION": "11.8.0"}).value
    assert other.toolkit == "12.4"


def test_toolkit_says_its_version_in_a_file(tmp_path: Path) -> None:
    for said, expected in (("12.3.2", "12.3.2"), ("12.3.20231128", "12.3"), (7, "12.3")):
        lib = tmp_path / "cuda-12.3" / "lib64"
        lib.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cuda-12.3" / "version.json").write_text(json.dumps({"cuda": {"version": said}}))
        item = GpuLibrary(name="cudart", version="12.3.101", origin="system", path=f"{lib}/libcudart.so.12")
        target = Target(executable="", directory="", environment={}, project=tmp_path)
        assert _toolkit([item], target) == expected


def test_conda_brings_its_own(tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    (prefix / "conda-meta").mkdir(parents=True)
    facts = {"interpreter": {"prefix": str(prefix), "base_prefix": str(prefix)}}
    (item,) = inspected(tmp_path, loaded=[f"{prefix}/lib/libcublas.so.12.4.5.8"], facts=facts).value.libraries
    assert (item.version, item.origin) == ("12.4.5.8", "conda")


def test_whether_a_run_used_a_gpu(tmp_path: Path) -> None:
    driver = "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15"
    cudart = "/usr/local/cuda-12.4/lib64/libcudart.so.12.4.127"
    assert inspected(tmp_path, loaded=[cudart, driver]).value.used is False  # there was no GPU to ask for
    nvidia_smi(tmp_path / "bin", H100)
    assert inspected(tmp_path, loaded=[driver]).value.used is True
    assert inspected(tmp_path, loaded=["/usr/lib/libm.so.6"]).value.used is False
    assert inspected(tmp_path, loaded=["/usr/local/cuda/lib64/stubs/libcuda.so"]).value.used is False
    assert inspected(tmp_path).value.used is None
    mapped = inspected(tmp_path, loaded=["/x.so"], devices=("/dev/nvidia3", "/dev/kfd")).value
    assert mapped.used is True and mapped.devices == ("/dev/nvidia3",)

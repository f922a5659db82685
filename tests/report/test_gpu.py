"""What ``show`` says of GPUs."""

from __future__ import annotations

from envfreeze.records.environment import Cuda, Gpu, GpuLibrary, Rocm
from envfreeze.report._gpu import cuda_facts, in_words, rocm_facts

H100 = Gpu(model="NVIDIA H100 80GB HBM3", memory=80 << 30, compute_capability="9.0", mig="disabled")


def test_nothing_of_gpus() -> None:
    assert list(cuda_facts(None)) == [] and list(rocm_facts(None)) == []


def test_gpus_and_libraries_as_the_run_saw_them() -> None:
    divided = Gpu(model="NVIDIA A100", memory=40 << 30, mig="enabled", instances=("3g.20gb", "1g.5gb"))
    wheel = {"version": "12.4.5.8", "origin": "wheel", "package": "nvidia-cublas-cu12 12.4.5.8"}
    system = "/usr/local/cuda-12.4/lib64"
    cuda = Cuda(
        gpus=(H100, divided),
        used=True,
        devices=("/dev/nvidia0",),
        driver="550.54.15",
        driver_api="12.4",
        libraries=(
            GpuLibrary(name="cublas", **wheel),
            GpuLibrary(name="cublasLt", **wheel),
            GpuLibrary(name="cufft", version="11.2.1.3", origin="system", path=f"{system}/libcufft.so.11"),
        ),
    )
    said = [(label, text) for label, text in cuda_facts(cuda) if text]
    assert said == [
        ("model", "NVIDIA H100 80GB HBM3, 80.0 GiB, compute capability 9.0"),
        ("model", "NVIDIA A100, 40.0 GiB, divided (MIG) into 3g.20gb, 1g.5gb"),
        ("used by the run", "/dev/nvidia0"),
        ("driver", "550.54.15 (CUDA 12.4)"),
        ("cublas, cublasLt", "loaded from nvidia-cublas-cu12 12.4.5.8 (wheel)"),
        ("cufft", f"loaded 11.2.1.3 from {system} (system)"),
    ]


def test_gpu_that_lay_idle() -> None:
    assert ("used by the run", "no") in list(cuda_facts(Cuda(gpus=(H100,), used=False)))
    assert not any(label.startswith("used") for label, _ in cuda_facts(Cuda(gpus=(H100,))))
    rocm = Rocm(gpus=(Gpu(model="aldebaran", compute_capability="gfx90a"),), used=True)
    assert ("used by the run", "yes") in list(rocm_facts(rocm))


def test_equal_models_are_counted() -> None:
    assert in_words((H100, H100, Gpu(model="T4"))) == "2 × NVIDIA H100 80GB HBM3, T4"

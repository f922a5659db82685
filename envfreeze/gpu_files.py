"""Files of GPUs by their names: what belongs to a driver, what to CUDA or ROCm, and which devices are GPUs.

Sources: for the driver the list of ``nvidia-container-cli`` (libnvidia-container, ``nvc_info.c``); for
libraries https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/ and https://rocm.docs.amd.com/.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

Kind = Literal["cuda", "rocm"]

DRIVER = r"libcuda\.so|libcudadebugger|libnvidia-|libnvcuvid|libnvoptix|libGLX_nvidia|libEGL_nvidia"
"""How the names of libraries begin that belong to NVIDIA's driver, and so to the kernel.

The Container Toolkit brings those of the host into a container."""

_CUDA = (
    r"cudart|cublas|cublasLt|cudnn(?:_\w+)?|nccl|nvrtc|nvrtc-builtins|cufft|cufftw|curand|cusparse|cusparseLt"
    r"|cusolver|cusolverMg|nvJitLink|nvfatbin|cupti|nvToolsExt|nvshmem_\w+|cufile|cutensor(?:Mg)?|cudss"
    r"|nvinfer(?:_\w+)?|nvjpeg|npp\w*|nvvm"
)
_ROCM = (
    r"amdhip64|hiprtc|hsa-runtime64|MIOpen|rocblas|rocsolver|rocsparse|rocfft|rocrand|rccl|hipblas|hipblaslt"
    r"|hipfft|hiprand|hipsolver|hipsparse|hipsparselt|roctx64|roctracer64|amd_comgr"
)
# auditwheel puts eight hexadecimal digits behind the name of a library that it grafts into a wheel.
_LIBRARY = re.compile(
    rf"lib(?:(?P<cuda>{_CUDA})|(?P<rocm>{_ROCM}))(?:-[0-9a-f]{{8}})?\.so(?:\.(?P<version>\d[\d.]*))?"
)
_DRIVER = re.compile(rf"(?:{DRIVER}).*")
_DEVICE = re.compile(r"/dev/(?:nvidia\d+|nvidiactl|nvidia-uvm|kfd|dri/renderD\d+)")


class Named(NamedTuple):
    """What a library's file name says."""

    kind: Kind
    name: str
    """Without ``lib``, for example ``cublasLt``."""
    version: str
    """As far as the name has it: ``12.4.5.8``, or ``12`` alone."""


def library(path: str) -> Named | None:
    """A library of CUDA or ROCm; None for all others, the driver's own among them."""
    match = _LIBRARY.fullmatch(PurePosixPath(path).name)
    if match is None:
        return None
    kind: Kind = "cuda" if match["cuda"] else "rocm"
    return Named(kind, match[kind], match["version"] or "")


def is_of_driver(path: str) -> bool:
    """True for a library of NVIDIA's driver."""
    return _DRIVER.fullmatch(PurePosixPath(path).name) is not None


def is_device(path: str) -> bool:
    """True for a GPU's file below ``/dev``."""
    return _DEVICE.fullmatch(path) is not None


def asks_driver(path: str) -> bool:
    """True for the library by which programs reach NVIDIA's driver, and not for the toolkit's stub of it."""
    return PurePosixPath(path).name.startswith("libcuda.so") and "/stubs/" not in path

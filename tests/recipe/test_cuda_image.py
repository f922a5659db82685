"""What an image gets CUDA from: its packages, the store, or NVIDIA's image."""

from __future__ import annotations

import msgspec
import pytest

from envfreeze.errors import InputError
from envfreeze.recipe.base_image import choose
from envfreeze.recipe.cuda_image import exact_packages
from envfreeze.recipe.render import render
from envfreeze.recipe.system_packages import missing_from, not_installed
from envfreeze.records.environment import (
    CondaEnvironment,
    CondaPackage,
    Cuda,
    Gpu,
    GpuLibrary,
    Interpreter,
    System,
    SystemPackage,
)
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import BaseImage, CudaImage

A = "a" * 64
LIB = "/usr/local/cuda-12.4/targets/x86_64-linux/lib"
DEB = "/usr/lib/x86_64-linux-gnu"
CUDART = GpuLibrary(name="cudart", version="12.4.127", origin="system", path=f"{LIB}/libcudart.so.12.4.127")
CUBLAS = GpuLibrary(name="cublas", version="12.4.5.8", origin="system", path=f"{LIB}/libcublas.so.12.4.5.8")
CUDNN = GpuLibrary(name="cudnn", version="9.1.0.70", origin="system", path=f"{DEB}/libcudnn.so.9.1.0")
WHEEL = GpuLibrary(
    name="cublas",
    version="12.4.5.8",
    origin="wheel",
    package="nvidia-cublas-cu12 12.4.5.8",
    path="/v/site-packages/nvidia/cublas/lib/libcublas.so.12",
)


def lock(*libraries: GpuLibrary, toolkit: str = "12.4.1", libc: str = "glibc 2.36", **more: object) -> Lock:
    interpreter = Interpreter(implementation="CPython", version="3.11.7", libc=libc)
    cuda = Cuda(used=True, toolkit=toolkit, libraries=libraries)
    return Lock(envfreeze_lock=1, interpreter=interpreter, cuda=cuda, **more)  # type: ignore[arg-type]


def packages(**named: tuple[str, str]) -> System:
    """Packages of dpkg by what they own: ``(path, version)``."""
    return System(
        distribution="debian 12",
        packages=tuple(
            SystemPackage(name=name.replace("_", "-"), version=version, manager="dpkg", libraries=(path,))
            for name, (path, version) in named.items()
        ),
    )


class Registry:
    """An engine that knows all images of Python, and some of NVIDIA's."""

    def __init__(self, *known: str) -> None:
        self.known, self.asked = known, 0

    def base_exists(self, reference: str) -> bool:
        self.asked += 1
        return reference.startswith("python:") or reference in self.known

    def base_digest(self, reference: str) -> str:
        return f"sha256:{'d' * 64}"


def cuda_of(made: Lock, engine: object = None) -> str | None:
    base, _ = choose(made, engine)  # type: ignore[arg-type]
    return base.cuda.reference if base.cuda else None


def test_wheels_that_carry_cuda_need_no_other_image() -> None:
    base, gaps = choose(lock(WHEEL, toolkit=""), None)
    assert (base.reference, base.cuda, gaps) == ("python:3.11.7-slim-bookworm", None, ())
    assert base.why.endswith("; CUDA comes with its packages (nvidia-cublas-cu12 12.4.5.8)")
    assert base.why in render(lock(WHEEL), base).dockerfile


def test_dockerfile_says_that_a_gpu_was_used() -> None:
    made = lock(WHEEL)
    base, _ = choose(made, None)
    assert "--gpus" not in render(made, base).dockerfile
    assert made.cuda is not None
    cuda = msgspec.structs.replace(made.cuda, gpus=(Gpu(model="H100"),))
    text = render(msgspec.structs.replace(made, cuda=cuda), base).dockerfile
    assert "# The run used a GPU: add --gpus all" in text
    made = msgspec.structs.replace(made, cuda=msgspec.structs.replace(cuda, used=False))
    assert "--gpus" not in render(made, base).dockerfile


def test_no_cuda_at_all() -> None:
    assert choose(lock(), None)[0].why == "CPython 3.11.7 ran with glibc 2.36"


@pytest.mark.parametrize(
    ("libraries", "flavour"),
    [
        ((CUDART,), "base"),
        ((CUDART, CUBLAS), "runtime"),
        ((CUDART, CUBLAS, CUDNN), "cudnn-runtime"),
        ((CUDART, GpuLibrary(name="nvvm", origin="system", path=f"{LIB}/libnvvm.so.4")), "devel"),
        ((msgspec.structs.replace(CUDNN, version="8.9.7"),), "cudnn8-runtime"),
    ],
)
def test_smallest_flavour_that_has_them(libraries: tuple[GpuLibrary, ...], flavour: str) -> None:
    assert cuda_of(lock(*libraries)) == f"nvidia/cuda:12.4.1-{flavour}-ubuntu22.04"


@pytest.mark.parametrize(
    ("libc", "ubuntu"), [("2.28", "18.04"), ("2.31", "20.04"), ("2.35", "22.04"), ("2.39", "24.04")]
)
def test_ubuntu_whose_libraries_run_on_the_base(libc: str, ubuntu: str) -> None:
    assert cuda_of(lock(CUDART, libc=f"glibc {libc}")) == f"nvidia/cuda:12.4.1-base-ubuntu{ubuntu}"


def test_series_alone_means_its_last_image() -> None:
    assert cuda_of(lock(CUDART, toolkit="12.6")) == "nvidia/cuda:12.6.3-base-ubuntu22.04"
    assert cuda_of(lock(CUDART, toolkit="14.7")) == "nvidia/cuda:14.7.0-base-ubuntu22.04"


def test_registry_is_asked() -> None:
    registry = Registry("nvidia/cuda:12.3.2-cudnn9-runtime-ubuntu20.04")
    assert cuda_of(lock(CUDNN, toolkit="12.3"), registry) == registry.known[0]
    base, _ = choose(lock(CUDNN, toolkit="12.3"), registry)  # type: ignore[arg-type]
    assert base.cuda is not None and base.cuda.digest == f"sha256:{'d' * 64}"
    registry = Registry()
    base, gaps = choose(lock(CUDNN), registry)  # type: ignore[arg-type]
    assert base.cuda is None and registry.asked <= 30
    assert [gap.what for gap in gaps] == ["CUDA libraries of the system are not in the image"]
    assert "cudnn" in gaps[0].why and "12.4.1" in gaps[0].why


def test_toolkit_that_is_not_known_is_a_gap() -> None:
    base, gaps = choose(lock(CUBLAS, toolkit=""), None)
    assert base.cuda is None and "cublas" in gaps[0].why


def test_what_the_store_holds_needs_no_image() -> None:
    kept = System(files=(FileEntry(path=CUBLAS.path, sha256=A, size=1),))
    base, gaps = choose(lock(CUBLAS, system=kept), None)
    assert base.cuda is None and gaps == ()
    assert "recorded files" in base.why
    assert cuda_of(lock(CUBLAS, CUDNN, system=kept)) is not None


def test_packages_of_nvidia_are_installed_in_its_image_and_nowhere_else() -> None:
    system = packages(
        libcublas_12_4=(CUBLAS.path, "12.4.5.8-1"),
        libcudnn9_cuda_12=(CUDNN.path, "9.3.0.75-1"),
        libcuda1=(f"{DEB}/libcuda.so.550.54.15", "550.54.15-1"),
        libgomp1=(f"{DEB}/libgomp.so.1", "12.2.0-14"),
    )
    made = lock(CUBLAS, CUDNN, system=system)
    assert exact_packages(made) == ("libcublas-12-4=12.4.5.8-1", "libcudnn9-cuda-12=9.3.0.75-1")
    base, gaps = choose(made, None)
    assert gaps == () and not_installed(base, system) == ()
    assert [package.name for package in missing_from(base, system).packages] == ["libgomp1"]
    for text in (render(made, base).dockerfile, render(made, base).dockerfile_buildkit):
        stage, rest = text.split("\nFROM python:")
        assert "--allow-change-held-packages libcublas-12-4=12.4.5.8-1 libcudnn9-cuda-12=9.3.0.75-1" in stage
        assert "FROM nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04 AS cuda\n" in stage
        assert "# The run loaded cublas, cudnn of CUDA 12.4.1 from the system" in stage
        assert "COPY --from=cuda /cuda/ /\nRUN ldconfig\n" in rest
        assert "libgomp1" in rest and "libcublas" not in rest and "libcuda1" not in text
        assert "\n\n\n" not in text


def test_versions_that_no_package_tells_are_a_gap() -> None:
    _, (gap,) = choose(lock(CUBLAS, CUDNN), None)
    assert "cublas 12.4.5.8, cudnn 9.1.0.70" in gap.why and "nvidia/cuda:12.4.1" in gap.why


def test_packages_of_other_archives_are_not_asked_of_debian() -> None:
    system = packages(rocblas=("/opt/rocm-6.2.4/lib/librocblas.so.4.2", "4.2.4-1"))
    base = BaseImage(reference="python:3.11.7-slim-bookworm")
    assert missing_from(base, system).packages == ()
    (gap,) = not_installed(base, system)
    assert "rocblas" in gap.why
    cuda = packages(libcublas_12_4=(CUBLAS.path, "12.4.5.8-1"))
    assert "libcublas-12-4" in not_installed(base, cuda)[0].why


def test_alpine_has_no_cuda() -> None:
    base, (gap,) = choose(lock(CUBLAS, libc="musl 1.2"), None)
    assert base.reference == "python:3.11.7-alpine" and base.cuda is None
    assert "cublas" in gap.why


def test_conda_s_interpreter_and_the_system_s_cuda() -> None:
    conda = CondaEnvironment(
        name="ml",
        prefix="/opt/conda/envs/ml",
        packages=(
            CondaPackage(
                name="python",
                version="3.11.7",
                build="h1",
                url="https://conda.anaconda.org/conda-forge/linux-64/python-3.11.7-h1.conda",
                sha256=A,
            ),
        ),
    )
    interpreter = Interpreter(
        implementation="CPython",
        version="3.11.7",
        libc="glibc 2.36",
        prefix="/opt/conda/envs/ml",
        platform="linux-x86_64",
    )
    made = msgspec.structs.replace(lock(CUDART, conda=conda), interpreter=interpreter)
    base, _ = choose(made, None)
    assert base.reference == "debian:bookworm-slim"
    text = render(made, base).dockerfile
    assert text.index("AS conda") < text.index("AS cuda") < text.index("FROM debian:bookworm-slim")
    assert "COPY --from=cuda /cuda/ /" in text and "\n\n\n" not in text


def test_identity_is_of_the_cuda_image_too() -> None:
    made = lock(CUBLAS)
    base, _ = choose(made, None)
    assert base.cuda is not None
    ids = {
        render(made, base).environment_id,
        render(made, msgspec.structs.replace(base, cuda=None)).environment_id,
        render(made, msgspec.structs.replace(base, cuda=CudaImage(reference="me/mine:1"))).environment_id,
    }
    assert len(ids) == 3


@pytest.mark.parametrize(
    "cuda", [CudaImage(reference="x:1\nRUN y"), CudaImage(reference="x:1", digest="sha256:0 AS y")]
)
def test_no_instruction_can_be_put_into_it(cuda: CudaImage) -> None:
    base = BaseImage(reference="python:3.11.7-slim-bookworm", cuda=cuda)
    with pytest.raises(InputError, match="image"):
        render(lock(CUBLAS), base)


def test_hostile_packages_are_not_installed() -> None:
    system = packages(libcublas_12_4=(CUBLAS.path, "1; reboot"))
    made = lock(CUBLAS, system=system)
    base = BaseImage(reference="python:3.11.7-slim-bookworm", cuda=CudaImage(reference="a:1", why="x\nRUN y"))
    assert exact_packages(made) == ()
    text = render(made, base).dockerfile
    assert "reboot" not in text and "\nRUN y" not in text

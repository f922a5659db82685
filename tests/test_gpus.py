"""Which GPUs a replay may use, and how the engines are told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from envfreeze import gpus
from envfreeze.engines import _docker_gpus, _local_sandbox
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.records.environment import Cuda, Gpu, Interpreter, Rocm
from envfreeze.records.lock import Lock
from envfreeze.records.run import Gpus, Image, Job

H100 = Gpu(model="NVIDIA H100 80GB HBM3")


def lock(cuda: Cuda | None = None, rocm: Rocm | None = None) -> Lock:
    interpreter = Interpreter(implementation="CPython", version="3.11.7")
    return Lock(envfreeze_lock=1, interpreter=interpreter, cuda=cuda, rocm=rocm)


def job(**variables: str) -> Job:
    return Job(command=("x",), directory="/p", project="/p", environment=variables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", Gpus()),
        ("2", Gpus(count=2)),
        ("device=0,2", Gpus(devices=("0", "2"))),
        ('"device=1"', Gpus(devices=("1",))),
        ("device=GPU-5d5ba0d6-d33d", Gpus(devices=("GPU-5d5ba0d6-d33d",))),
        ("device=0:1,MIG-c6d4f1ef", Gpus(devices=("0:1", "MIG-c6d4f1ef"))),
    ],
)
def test_words_of_docker_run(text: str, expected: Gpus) -> None:
    assert gpus.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "none", "device=", "device=0,,1", "device=$(x)", "devices=0", "²", "99999999"]
)
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--gpus"):
        gpus.parse(text)


def test_nobody_gets_a_gpu_that_was_not_allowed() -> None:
    given, (note,) = gpus.granted(lock(Cuda(gpus=(H100, H100), used=True)), None, same_command=True)
    assert given is None
    assert "2 × NVIDIA H100 80GB HBM3" in note and "--gpus all" in note
    assert gpus.granted(lock(Cuda(gpus=(H100,), used=False)), None, same_command=True) == (None, ())
    assert gpus.granted(lock(), None, same_command=True) == (None, ())


def test_a_run_that_used_none_gets_none() -> None:
    idle = lock(Cuda(gpus=(H100,), used=False))
    given, (note,) = gpus.granted(idle, Gpus(), same_command=True)
    assert given is None and "used no GPU" in note
    assert gpus.granted(idle, Gpus(), same_command=False) == (Gpus(), ()), "one's own command may"


def test_locks_that_do_not_say_count_as_having_used_what_there_was() -> None:
    assert gpus.recorded(lock(Cuda(gpus=(H100,)))) == (H100,)
    assert gpus.granted(lock(Cuda(gpus=(H100,))), Gpus(count=1), same_command=True) == (Gpus(count=1), ())
    assert gpus.recorded(lock(Cuda(runtime="12.4"))) == ()


def test_vendor_is_the_recorded_one() -> None:
    amd = lock(rocm=Rocm(gpus=(Gpu(model="aldebaran"),), used=True))
    given, _ = gpus.granted(amd, Gpus(), same_command=True)
    assert given == Gpus(vendor="amd")


def test_numbers_start_anew() -> None:
    chosen = gpus.with_gpus(
        job(CUDA_VISIBLE_DEVICES="5,2", HIP_VISIBLE_DEVICES="-1", ROCR_VISIBLE_DEVICES=""), Gpus()
    )
    assert chosen.environment == {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "HIP_VISIBLE_DEVICES": "-1",
        "ROCR_VISIBLE_DEVICES": "",
    }
    assert gpus.with_gpus(job(CUDA_VISIBLE_DEVICES="5"), None).environment == {"CUDA_VISIBLE_DEVICES": "5"}


def test_without_mounts_a_variable_chooses() -> None:
    narrowed = gpus.narrowed(job(), Gpus(count=2)).environment
    assert narrowed == {"CUDA_VISIBLE_DEVICES": "0,1"}
    amd = Gpus(devices=("1",), vendor="amd")
    assert gpus.narrowed(job(), amd).environment == {"HIP_VISIBLE_DEVICES": "1"}
    assert gpus.narrowed(job(), Gpus()).environment == {}


class Client:
    """A Docker engine with a default runtime."""

    def __init__(self, runtime: str) -> None:
        self.runtime = runtime

    def info(self) -> dict[str, Any]:
        return {"DefaultRuntime": self.runtime}


def options(wanted: Gpus | None, runtime: str = "runc") -> dict[str, Any]:
    return _docker_gpus.gpu_options(Client(runtime), wanted)  # type: ignore[arg-type]


def test_container_without_gpus_on_an_engine_that_gives_them_unasked() -> None:
    assert options(None) == {}
    assert options(None, "nvidia") == {"runtime": "runc"}


def test_an_image_that_asks_for_gpus_by_itself_gets_none() -> None:
    image = Image(engine="docker", reference="a:1", environment_id="a" * 64)

    def variables(own: list[str] | None, wanted: Gpus | None = None) -> dict[str, str]:
        found = SimpleNamespace(attrs={"Config": {"Env": own}})
        client: Any = SimpleNamespace(images=SimpleNamespace(get=lambda reference: found))
        return _docker_gpus.variables(client, image, wanted)

    assert variables(["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=all"]) == {"NVIDIA_VISIBLE_DEVICES": "void"}
    assert variables(["NVIDIA_VISIBLE_DEVICES=all"], Gpus()) == {}
    assert variables(["PATH=/bin"]) == variables(None) == {}


@pytest.mark.parametrize(
    ("wanted", "count", "names"),
    [(Gpus(), -1, []), (Gpus(count=2), 2, []), (Gpus(devices=("0", "3")), 0, ["0", "3"])],
)
def test_request_to_docker(wanted: Gpus, count: int, names: list[str]) -> None:
    (request,) = options(wanted)["device_requests"]
    assert (request["Count"], request["DeviceIDs"]) == (count, names)
    assert "gpu" in request["Capabilities"][0] and "graphics" not in request["Capabilities"][0]


def test_podman_would_pass_over_the_request() -> None:
    with pytest.raises(EnvironmentFailure, match="podman"):
        _docker_gpus.gpu_options(Client("crun"), Gpus(), "podman")  # type: ignore[arg-type]
    assert _docker_gpus.gpu_options(Client("crun"), None, "podman") == {}  # type: ignore[arg-type]


def test_devices_of_amd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_AMD", ("/nonexistent/kfd",))
    with pytest.raises(EnvironmentFailure, match="no AMD GPU"):
        options(Gpus(vendor="amd"))


@pytest.mark.parametrize(
    "said",
    [
        'could not select device driver "" with capabilities: [[gpu compute utility]]',
        "runc failed: nvidia-container-cli: initialization error: nvml error: driver not loaded",
        "nvidia-container-cli: device error: 7: unknown device",
    ],
)
def test_engine_without_gpus_is_explained(said: str) -> None:
    failure = _docker_gpus.explained(said)
    assert failure is not None and "--gpus" in str(failure.hint)
    assert _docker_gpus.explained("exec format error") is None


def test_sandbox_shows_devices_only_when_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_local_sandbox, "_DEVICES", {"nvidia": ("null",), "amd": ("zero",)})

    def words(*vendors: Any) -> list[str]:
        return _local_sandbox.bubblewrap("bubblewrap", [], network=False, directory="/", gpus=vendors)

    assert "--dev-bind" not in words()
    given = words("nvidia")
    assert given[given.index("--dev-bind") :][:3] == ["--dev-bind", "/dev/null", "/dev/null"]
    assert "/dev/zero" not in given


def test_a_machine_without_a_gpu_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_NVIDIA", ("/nonexistent/nvidiactl",))
    with pytest.raises(EnvironmentFailure, match="no NVIDIA GPU"):
        gpus.require(Gpus())


def test_report_holds_gpus_against_each_other() -> None:
    from envfreeze.records.environment import GpuLibrary
    from envfreeze.report._gpu import gpu_pairs

    cudnn = GpuLibrary(name="cudnn", version="9.1.0.70", origin="wheel")
    blas = GpuLibrary(name="cublas", version="12.4.5.8", origin="system")
    h100 = Gpu(model="H100", compute_capability="9.0")
    frozen = lock(Cuda(gpus=(h100,), used=True, driver="550.54.15", libraries=(blas, cudnn)))
    a100 = Gpu(model="A100", compute_capability="8.0", mig="enabled", instances=("3g.20gb",))
    run: Any = SimpleNamespace(cuda=Cuda(gpus=(a100,), driver="535.1"), rocm=None, engine="docker")
    said = {fact.name: (fact.recorded, fact.replay) for fact in gpu_pairs(frozen, run)}
    assert said == {
        "GPU": ("H100", "A100 (3g.20gb)"),
        "GPU architecture": ("9.0", "8.0"),
        "GPU divided (MIG)": ("no", "3g.20gb"),
        "GPU driver": ("550.54.15", "535.1"),
        "cuDNN": ("9.1.0.70", "9.1.0.70"),
        "cuBLAS": ("12.4.5.8", "the image's own"),
    }
    none: Any = SimpleNamespace(cuda=None, rocm=None, engine="docker")
    assert [(fact.name, fact.replay) for fact in gpu_pairs(frozen, none)] == [("GPU", "none")]
    assert list(gpu_pairs(lock(Cuda(gpus=(h100,), used=False)), none)) == []


def test_words_of_a_bundle_are_of_gpus_that_were_used() -> None:
    from envfreeze.bundle.checklists._facts import _machine
    from envfreeze.bundle.experiment import _gpu
    from envfreeze.records.environment import Cpu

    gpu = Gpu(model="NVIDIA H100 80GB HBM3", memory=80 << 30)
    used = msgspec.structs.replace(
        lock(Cuda(gpus=(gpu, gpu), used=True, runtime="12.4")), cpu=Cpu(model="EPYC", usable_cores=8)
    )
    assert _gpu(used) == "2 × NVIDIA H100 80GB HBM3 (80.0 GiB), CUDA 12.4"
    assert _machine(used) == "EPYC, 8 cores, 2 × NVIDIA H100 80GB HBM3"
    assert used.cuda is not None
    idle = msgspec.structs.replace(used, cuda=msgspec.structs.replace(used.cuda, used=False))
    assert _gpu(idle) == "" and _machine(idle) == "EPYC, 8 cores, no GPU seen in use"


def test_podman_finds_every_image_by_its_registry(tmp_path: Path) -> None:
    from envfreeze.engines._docker_build import _qualify_images

    dockerfile = tmp_path / "Dockerfile"
    digest = "sha256:" + "a" * 64
    dockerfile.write_text(
        f"# FROM here\nFROM nvidia/cuda:12.4.1-base-ubuntu22.04@{digest} AS cuda\n"
        "FROM ghcr.io/me/mine:1 AS other\nFROM python:3.11\nCOPY --from=cuda / /\n"
    )
    _qualify_images(dockerfile)
    assert dockerfile.read_text() == (
        f"# FROM here\nFROM docker.io/nvidia/cuda:12.4.1-base-ubuntu22.04@{digest} AS cuda\n"
        "FROM ghcr.io/me/mine:1 AS other\nFROM docker.io/library/python:3.11\nCOPY --from=cuda / /\n"
    )


def test_other_gpus_are_noted_as_a_reason_for_other_numbers() -> None:
    frozen = lock(Cuda(gpus=(H100, H100), used=True, driver="550.54.15"))

    def noted(cuda: Cuda | None) -> tuple[str, ...]:
        run: Any = SimpleNamespace(cuda=cuda, rocm=None)
        return gpus.differences(frozen, run)

    assert noted(Cuda(gpus=(H100,), driver="550.54.15")) == ()
    (note,) = noted(Cuda(gpus=(Gpu(model="NVIDIA A100"),)))
    assert "2 × NVIDIA H100 80GB HBM3 → NVIDIA A100" in note
    divided = msgspec.structs.replace(H100, mig="enabled", instances=("3g.40gb",))
    (note,) = noted(Cuda(gpus=(divided,)))
    assert "→ NVIDIA H100 80GB HBM3 (3g.40gb)" in note
    (note,) = noted(Cuda(gpus=(H100,), driver="535.1"))
    assert "550.54.15 → 535.1" in note
    assert noted(None) == ()

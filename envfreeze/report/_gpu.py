"""GPUs and their software in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from envfreeze.records.environment import Cuda, Gpu, GpuLibrary, Rocm
from envfreeze.records.lock import Lock
from envfreeze.records.report import Fact
from envfreeze.records.run import Run
from envfreeze.report._words import size


def cuda_facts(cuda: Cuda | None) -> Iterator[tuple[str, str]]:
    """Label and what is said, for ``envfreeze show``."""
    if cuda is None:
        return
    yield from _gpu_facts(cuda.gpus, cuda.used, cuda.devices, "compute capability ")
    yield "driver", cuda.driver + (f" (CUDA {cuda.driver_api})" if cuda.driver_api else "")
    yield "CUDA", cuda.runtime
    yield "toolkit", cuda.toolkit
    yield "cuDNN", cuda.cudnn
    yield "NCCL", cuda.nccl
    yield from _library_facts(cuda.libraries)


def rocm_facts(rocm: Rocm | None) -> Iterator[tuple[str, str]]:
    """Label and what is said, for ``envfreeze show``."""
    if rocm is None:
        return
    yield from _gpu_facts(rocm.gpus, rocm.used, rocm.devices, "")
    yield "driver", rocm.driver
    yield "HIP", rocm.runtime
    yield "MIOpen", rocm.miopen
    yield "rocBLAS", rocm.rocblas
    yield "RCCL", rocm.rccl
    yield from _library_facts(rocm.libraries)


def in_words(gpus: Sequence[Gpu]) -> str:
    """``2 × NVIDIA H100 80GB HBM3``; models in the order in which they are met, divided ones apart."""
    counts = Counter(
        f"{gpu.model} ({', '.join(gpu.instances)})" if gpu.instances else gpu.model for gpu in gpus
    )
    return ", ".join(model if count == 1 else f"{count} × {model}" for model, count in counts.items())


def gpu_pairs(lock: Lock, run: Run) -> Iterator[Fact]:
    """What may make a replay's numbers differ on another GPU, recorded and replayed; nothing without a GPU.

    cuDNN, for one, promises the same bits neither across architectures nor across versions
    (https://docs.nvidia.com/deeplearning/cudnn/backend/latest/developer/misc.html#reproducibility-determinism).
    """
    here = run.cuda or run.rocm
    section = lock.cuda if lock.cuda is not None and lock.cuda.gpus else lock.rocm
    if section is None or section.used is False or not section.gpus:
        return
    gpus = here.gpus if here is not None else ()
    yield Fact(name="GPU", recorded=in_words(section.gpus), replay=in_words(gpus) or "none")
    if here is None:
        return
    yield Fact(name="GPU architecture", recorded=_abilities(section.gpus), replay=_abilities(gpus))
    yield Fact(name="GPU divided (MIG)", recorded=_divisions(section.gpus), replay=_divisions(gpus))
    yield Fact(name="GPU driver", recorded=section.driver, replay=here.driver)
    for name, library in (("cuDNN", "cudnn"), ("cuBLAS", "cublas"), ("MIOpen", "MIOpen")):
        found = next((item for item in section.libraries if item.name == library), None)
        if found is not None:
            packed = found.origin in ("wheel", "conda")
            elsewhere = "this machine's" if run.engine == "local" else "the image's"
            yield Fact(
                name=name, recorded=found.version, replay=found.version if packed else f"{elsewhere} own"
            )


def _abilities(gpus: Sequence[Gpu]) -> str:
    return ", ".join(dict.fromkeys(gpu.compute_capability for gpu in gpus if gpu.compute_capability))


def _divisions(gpus: Sequence[Gpu]) -> str:
    return ", ".join(profile for gpu in gpus for profile in gpu.instances) or "no"


def _gpu_facts(
    gpus: Sequence[Gpu], used: bool | None, devices: Sequence[str], capability: str
) -> Iterator[tuple[str, str]]:
    for gpu in gpus:
        memory = size(gpu.memory) if gpu.memory else ""
        ability = f"{capability}{gpu.compute_capability}" if gpu.compute_capability else ""
        yield "model", ", ".join(part for part in (gpu.model, memory, ability, _mig(gpu)) if part)
    if gpus and used is not None:
        yield "used by the run", (", ".join(devices) or "yes") if used else "no"


def _mig(gpu: Gpu) -> str:
    if gpu.mig != "enabled":
        return ""
    return f"divided (MIG) into {', '.join(gpu.instances)}" if gpu.instances else "MIG without instances"


def _library_facts(libraries: Sequence[GpuLibrary]) -> Iterator[tuple[str, str]]:
    """As loaded: those of one package and version share a line."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for item in libraries:
        where = item.package or item.path.rpartition("/")[0]
        groups.setdefault((item.origin, where, item.version), []).append(item.name)
    for (origin, where, version), names in groups.items():
        exact = f" {version}" if version and not where.endswith(version) else ""
        yield ", ".join(dict.fromkeys(names)), f"loaded{exact} from {where} ({origin})"

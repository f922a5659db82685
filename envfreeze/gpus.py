"""Which GPUs a replay may use: those that the user allows, and only when the recorded run used one.

A lock may come from a stranger, so nothing in it gives a GPU; ``--gpus`` does, in the words of ``docker run``
(https://docs.docker.com/reference/cli/docker/container/run/#gpus).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.records.environment import Gpu
from envfreeze.records.lock import Lock
from envfreeze.records.run import Gpus, Job, Run

MOST = 1024
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*")
"""A number, a UUID (``GPU-…``, ``MIG-…``) or a MIG device by ``GPU:instance``."""

CHOOSING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")
"""Variables that choose among a machine's GPUs; on another machine, or in a container, numbers start anew.

Sources: CUDA C++ Programming Guide, "CUDA environment variables"; ROCm documentation, "GPU isolation".
"""
_NVIDIA = ("/dev/nvidiactl",)
_AMD = ("/dev/kfd",)


def parse(text: str) -> Gpus:
    """``all``, a number, or ``device=0,2``.

    Raises:
        InputError: it is none of these.
    """
    text = text.strip().strip("\"'")
    if text == "all":
        return Gpus()
    if text.isascii() and text.isdigit() and 0 < int(text[:6]) <= MOST and len(text) <= 4:
        return Gpus(count=int(text))
    kind, _, names = text.partition("=")
    devices = tuple(names.split(",")) if kind == "device" else ()
    if devices and all(map(_DEVICE.fullmatch, devices)):
        return Gpus(devices=devices)
    raise InputError(f"--gpus {text!r} is none of: all, a number of GPUs, device=0,2.")


def recorded(lock: Lock) -> tuple[Gpu, ...]:
    """The GPUs of the machine on which the lock's run used one; empty when it used none.

    A lock without a word on it is one of an earlier envfreeze: it counts as used where there was one.
    """
    for section in (lock.cuda, lock.rocm):
        if section is not None and section.used is not False and section.gpus:
            return section.gpus
    return ()


def granted(lock: Lock, wanted: Gpus | None, *, same_command: bool) -> tuple[Gpus | None, tuple[str, ...]]:
    """What a replay gets of what the user allows, and notes for its record.

    Args:
        same_command: False when the user's own command runs, which may need a GPU whatever the lock says.
    """
    from envfreeze.report._gpu import in_words

    there = recorded(lock)
    if wanted is None:
        if not there or not same_command:
            return None, ()
        return None, (
            f"the recorded run used a GPU ({in_words(there)}), and this replay had none: "
            "give it one with --gpus all",
        )
    if not there and same_command:
        return None, ("the recorded run used no GPU, so this replay had none in spite of --gpus",)
    return msgspec.structs.replace(wanted, vendor=_vendor(lock)), ()


def differences(lock: Lock, run: Run) -> tuple[str, ...]:
    """Notes on GPUs of a replay that are not the recorded ones, as numbers may follow from that alone.

    cuBLAS gives the same bits only on the same architecture with as many multiprocessors, of which a MIG
    device has a part (https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility).
    """
    from envfreeze.report._gpu import in_words

    here = run.cuda or run.rocm
    before = recorded(lock)
    if here is None or not before or not here.gpus:
        return ()
    used = lock.cuda if run.cuda is not None else lock.rocm
    notes = []
    if _kinds(before) != _kinds(here.gpus):
        why = "libraries promise the same bits on the same kind of GPU only"
        notes.append(f"the GPUs differ ({in_words(before)} → {in_words(here.gpus)}): {why}")
    if used is not None and used.driver and here.driver and used.driver != here.driver:
        notes.append(f"the GPU's driver differs ({used.driver} → {here.driver})")
    return tuple(notes)


def _kinds(gpus: tuple[Gpu, ...]) -> set[tuple[str, tuple[str, ...]]]:
    """The model implies the architecture, which an old driver does not tell."""
    return {(gpu.model, gpu.instances) for gpu in gpus}


def _vendor(lock: Lock) -> str:
    if lock.rocm is not None and lock.rocm.gpus and not (lock.cuda is not None and lock.cuda.gpus):
        return "amd"
    if there(_AMD) and not there(_NVIDIA) and lock.cuda is None:
        return "amd"
    return "nvidia"


def there(paths: tuple[str, ...] = (*_NVIDIA, *_AMD)) -> bool:
    """Whether this machine has one of these devices; by default any GPU for computing."""
    return any(Path(path).exists() for path in paths)


def require(gpus: Gpus) -> None:
    """Go on only where this machine has a GPU of that vendor.

    Raises:
        EnvironmentFailure: it has none.
    """
    if not there(_NVIDIA if gpus.vendor == "nvidia" else _AMD):
        name = "NVIDIA" if gpus.vendor == "nvidia" else "AMD"
        raise EnvironmentFailure(
            f"this machine has no {name} GPU that works.", hint="Leave --gpus away to run without one."
        )


def with_gpus(job: Job, gpus: Gpus | None) -> Job:
    """The job with its GPUs, whose numbers start from 0 there."""
    if gpus is None:
        return job
    chosen = {
        name: ",".join(map(str, range(value.count(",") + 1)))
        for name, value in job.environment.items()
        if name in CHOOSING and chooses(value)
    }
    return msgspec.structs.replace(job, gpus=gpus, environment=job.environment | chosen)


def narrowed(job: Job, gpus: Gpus) -> Job:
    """The job without mounts of devices one by one: the variables choose those that are meant."""
    if gpus.devices:
        names = ",".join(gpus.devices)
    elif gpus.count is not None:
        names = ",".join(map(str, range(gpus.count)))
    else:
        return job
    variable = "CUDA_VISIBLE_DEVICES" if gpus.vendor == "nvidia" else "HIP_VISIBLE_DEVICES"
    return msgspec.structs.replace(job, environment=job.environment | {variable: names})


def chooses(value: str) -> bool:
    """False for a value that hides all GPUs, which means the same everywhere."""
    return value.strip() not in {"", "-1", "NoDevFiles", "none", "void"}


def hidden(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with all GPUs hidden from CUDA and HIP."""
    return {**environment, "CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "-1"}

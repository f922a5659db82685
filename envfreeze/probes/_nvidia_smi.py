"""What NVIDIA's driver says of its GPUs, by ``nvidia-smi``, which is installed with every driver.

In a container it may be missing; then the kernel's part of the driver tells models and version.

Its manual: https://docs.nvidia.com/deploy/nvidia-smi/index.html; what it prints of Multi-Instance GPU (MIG):
https://docs.nvidia.com/datacenter/tesla/mig-user-guide/.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from envfreeze.errors import ProbeError
from envfreeze.records.environment import Gpu

TIMEOUT = 30.0
"""Seconds; loading the driver on a machine without persistence mode takes several."""

_FIELDS = ("driver_version", "name", "memory.total", "mig.mode.current", "compute_cap")
"""``nvidia-smi --help-query-gpu``. Drivers before 510 have no ``compute_cap``, before 450 no ``mig.mode``."""
_NO_GPU = "No devices were found"
_GPU_LINE = re.compile(r"GPU (\d+): ")
_MIG_LINE = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+:")


class Driver(NamedTuple):
    """The driver's versions and GPUs; all empty where there is none."""

    version: str = ""
    api: str = ""
    """Highest CUDA version that it supports."""
    gpus: tuple[Gpu, ...] = ()


def ask(environment: Mapping[str, str]) -> Driver:
    """The driver of this machine; ``PATH`` of the environment says where ``nvidia-smi`` is looked for.

    Raises:
        ProbeError: ``nvidia-smi`` is there, and fails or does not answer.
    """
    program = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if program is None:
        return Driver()
    version, gpus = _gpus(program)
    if any(gpu.mig == "enabled" for gpu in gpus):
        listed = dict(_instances(_text(_run([program, "-L"]).stdout)))
        gpus = tuple(
            msgspec.structs.replace(gpu, instances=tuple(listed.get(number, ())))
            for number, gpu in enumerate(gpus)
        )
    return Driver(version, _api(program) if gpus else "", gpus)


def of_kernel() -> Driver:
    """Version and models alone, from ``/proc/driver/nvidia`` (the driver's README, "/proc Interface")."""
    version = _VERSION.search(_read(PROC / "version"))
    models = [_MODEL.search(_read(path)) for path in sorted(PROC.glob("gpus/*/information"))]
    gpus = tuple(Gpu(model=match[1].strip()) for match in models if match)
    return Driver(version[1] if version and gpus else "", "", gpus)


PROC = Path("/proc/driver/nvidia")
_VERSION = re.compile(r"^NVRM version:.*?\s(\d+\.\d[\d.]*)\s", re.MULTILINE)
_MODEL = re.compile(r"^Model:\s*(\S.*)$", re.MULTILINE)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _gpus(program: str) -> tuple[str, tuple[Gpu, ...]]:
    """Driver version and GPUs; ``[N/A]`` stands where NVML has no answer."""
    for fields in (_FIELDS, _FIELDS[:-1], _FIELDS[:-2]):
        finished = _run([program, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"])
        if finished.returncode == 0:
            break
    text = _text(finished.stdout)
    if finished.returncode != 0 and _NO_GPU not in text:
        words = (text or _text(finished.stderr)).strip().splitlines()
        raise ProbeError(f"nvidia-smi failed: {words[0] if words else finished.returncode}")
    rows = [dict(zip(fields, map(str.strip, line.split(",")), strict=False)) for line in text.splitlines()]
    rows = [row for row in rows if len(row) == len(fields)]
    return (rows[0]["driver_version"] if rows else ""), tuple(map(_gpu, rows))


def _gpu(row: Mapping[str, str]) -> Gpu:
    memory, capability = row["memory.total"], row.get("compute_cap", "")
    mode = row.get("mig.mode.current", "")
    return Gpu(
        model=row["name"],
        memory=int(memory) << 20 if memory.isdigit() else 0,
        compute_capability=capability if capability[:1].isdigit() else "",
        mig="enabled" if mode == "Enabled" else "disabled" if mode == "Disabled" else "",
    )


def _instances(text: str) -> Iterator[tuple[int, list[str]]]:
    """Number of a GPU and profiles of its MIG devices, from ``nvidia-smi -L``."""
    number, profiles = -1, list[str]()
    for line in text.splitlines():
        if match := _GPU_LINE.match(line):
            yield number, profiles
            number, profiles = int(match[1]), []
        elif match := _MIG_LINE.match(line):
            profiles.append(match[1])
    yield number, profiles


def _api(program: str) -> str:
    """From the head of the plain table, which is the only short output that has it in all versions."""
    match = re.search(rb"CUDA (?:UMD )?Version\s*:\s*([\d.]+)", _run([program]).stdout)
    return match[1].decode() if match else ""


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"nvidia-smi did not answer within {TIMEOUT:.0f} seconds") from None
    except OSError as error:
        raise ProbeError(f"nvidia-smi cannot be run: {error.strerror}") from error


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")

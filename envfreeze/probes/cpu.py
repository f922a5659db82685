"""The processor, and what the numerical libraries made of it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from envfreeze.probes import Probe, Section, Target
from envfreeze.records.environment import Cpu, NumericalLibrary

_FEATURES = re.compile(
    r"sse4_1|sse4_2|ssse3|avx\w*|f16c|fma4?|bmi[12]|amx_\w+"  # x86
    r"|asimd\w*|sve\w*|sme(?!p)\w*|neon|bf16|i8mm|fphp|atomics"  # Arm
    r"|vsx|altivec|vx|vxe2?"  # POWER and s390x
)
"""Flags that OpenBLAS, MKL, oneDNN, numpy or libm choose kernels by (names of the Linux kernel)."""

_ARM_VENDORS = {"0x41": "ARM", "0x61": "Apple", "0x4e": "NVIDIA", "0x46": "Fujitsu", "0xc0": "Ampere"}
"""``CPU implementer`` of MIDR_EL1 (Arm Architecture Reference Manual)."""


def inspect(target: Target) -> Section:
    """Read /proc/cpuinfo and the limits of this process, and sort what the run's libraries reported."""
    return Section(value=describe(target.numerics))


def describe(numerics: tuple[dict[str, Any], ...] = ()) -> Cpu:
    """The processor of this machine; ``numerics`` as in ``Target``."""
    import psutil

    info = _cpuinfo()
    flags = set((info.get("flags") or info.get("Features") or "").split())
    vendor = info.get("vendor_id") or info.get("CPU implementer", "")
    logical = psutil.cpu_count(logical=True) or 0
    return Cpu(
        vendor=_ARM_VENDORS.get(vendor, vendor),
        model=info.get("model name") or info.get("Model") or info.get("cpu") or info.get("CPU part", ""),
        physical_cores=psutil.cpu_count(logical=False) or logical,
        logical_cores=logical,
        usable_cores=usable_cores(),
        features=tuple(sorted(flag for flag in flags if _FEATURES.fullmatch(flag))),
        libraries=tuple(sorted({_library(said) for said in numerics}, key=str)),
    )


def usable_cores() -> int:
    """Cores that this process may use: its affinity, and the quota of its control groups rounded up."""
    cores = len(os.sched_getaffinity(0))
    for quota in _quotas(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")):
        cores = min(cores, max(1, math.ceil(quota)))
    return cores


def _quotas(root: Path, membership: Path) -> Iterator[float]:
    """Quota over period of each control group that this process is in, v2 and v1 (cgroups(7))."""
    for line in _text(membership).splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "cpu" if controllers else root
        inside = PurePosixPath(group.lstrip("/"))
        for folder in {top / inside, *(top / part for part in inside.parents)}:
            if controllers:
                words = [_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")]
            else:
                words = _text(folder / "cpu.max").split()
            numbers = [int(word) for word in words if re.fullmatch(r"\s*\d+\s*", word)]
            if len(numbers) == 2 and numbers[1] > 0:
                yield numbers[0] / numbers[1]


def _cpuinfo() -> Mapping[str, str]:
    """The first value of each field of /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _library(said: Mapping[str, Any]) -> NumericalLibrary:
    """From ``threadpoolctl.threadpool_info()``, or from what torch said of itself."""
    return NumericalLibrary(
        name=str(said.get("internal_api") or said.get("name") or "torch"),
        version=str(said.get("version") or ""),
        kernels=str(said.get("architecture") or said.get("cpu_capability") or ""),
        threads=int(said.get("num_threads") or 0),
        library=PurePosixPath(str(said.get("filepath") or "")).name,
    )


PROBE = Probe(section="cpu", inspect=inspect)

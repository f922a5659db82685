"""AMD GPUs and the ROCm stack: what the kernel says of the GPUs, and which libraries the run loaded.

No tool is asked: ``rocm-smi`` and ``amd-smi`` read the same files of the kernel. What they look like is in
https://docs.kernel.org/gpu/amdgpu/ and in ``include/uapi/linux/kfd_sysfs.h``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from envfreeze.probes import Probe, Section, Target
from envfreeze.probes._gpu_libraries import full_version, loaded
from envfreeze.records.environment import Gpu, GpuLibrary, Rocm

NODES = Path("/sys/class/kfd/kfd/topology/nodes")
"""One folder a processor and GPU; the compute driver's own list (kfd_topology.c)."""
CARDS = Path("/sys/class/drm")
"""What amdgpu says of each card: ``product_name``, ``current_compute_partition`` (of MI300; SPX is whole)."""
DRIVER = Path("/sys/module/amdgpu/version")
"""There with AMD's own driver package; the kernel's driver has the kernel's version."""

_LIBRARIES = {"runtime": "amdhip64", "miopen": "MIOpen", "rocblas": "rocblas", "rccl": "rccl"}
"""The file's name ends in its version; PyTorch's wheels bring copies of their own."""
_HIP = re.compile(r"""^hip\b[^=\n]*=\s*['"]([\d.]+)[^'"]*['"]""", re.MULTILINE)
_LARGEST = 1 << 16
"""Bytes that are read of a file of the kernel."""


def inspect(target: Target) -> Section:
    """No section where there is neither such a GPU nor a library of ROCm."""
    gpus = tuple(_gpus())
    libraries = loaded(target, "rocm")
    devices = tuple(path for path in target.devices if "nvidia" not in path)
    versions, evidence = dict[str, str](), list[str]()
    for kind, version, source in _versions(target, libraries):
        if kind not in versions:
            versions[kind] = version
            evidence.append(source)
    if not gpus and not evidence and not libraries:
        return Section(value=None)
    value = Rocm(
        gpus=gpus,
        # A framework loads all of ROCm with itself; only a program that asks opens the device.
        used=("/dev/kfd" in devices) if target.was_run else None,
        devices=devices,
        driver=_text(DRIVER).strip(),
        libraries=libraries,
        evidence=tuple(evidence),
        **versions,
    )
    return Section(value=value)


def of_this_machine() -> Rocm | None:
    """The GPUs and the driver alone, for the record of a replay."""
    gpus = tuple(_gpus())
    return Rocm(gpus=gpus, driver=_text(DRIVER).strip()) if gpus else None


def _gpus() -> Iterator[Gpu]:
    """Nodes with the identity of a GPU; those of processors have ``gpu_id`` 0."""
    nodes = (path for path in NODES.glob("*") if path.name.isdigit())
    for node in sorted(nodes, key=lambda path: int(path.name)):
        if _text(node / "gpu_id").strip() in ("", "0"):
            continue
        facts = _facts(node / "properties")
        architecture = _architecture(facts.get("gfx_target_version", 0))
        card = CARDS / f"renderD{facts.get('drm_render_minor', 0)}" / "device"
        banks = (_facts(path) for path in sorted(node.glob("mem_banks/*/properties")))
        # Heap types 1 and 2 are the GPU's own memory, seen by the processor or not (kfd_sysfs.h).
        memory = sum(bank.get("size_in_bytes", 0) for bank in banks if bank.get("heap_type") in (1, 2))
        model = _text(card / "product_name").strip() or _text(node / "name").strip() or architecture
        partition = _text(card / "current_compute_partition").strip()
        divided = partition not in ("", "SPX")
        yield Gpu(
            model=model,
            memory=memory,
            compute_capability=architecture,
            mig="enabled" if divided else "disabled" if partition else "",
            instances=(partition,) if divided else (),
        )


def _architecture(version: int) -> str:
    """``gfx90a`` of 90010: two decimal digits each for minor and stepping, which the name has in base 16."""
    if version <= 0:
        return ""
    major, minor, stepping = version // 10000, version // 100 % 100, version % 100
    return f"gfx{major}{minor:x}{stepping:x}"


def _facts(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_LARGEST)
    except OSError:
        return ""


def _versions(target: Target, libraries: Sequence[GpuLibrary]) -> Iterator[tuple[str, str, str]]:
    """Kind, version and where it was read: loaded libraries first, then what torch was built with."""
    for kind, name in _LIBRARIES.items():
        if version := full_version(libraries, name):
            yield kind, version, next(item.path for item in libraries if item.name == name)
    for facts in target.facts["distributions"]:
        if facts.get("name") == "torch":
            file = "torch/version.py"
            if match := _HIP.search(_text(Path(facts["location"], file))):
                yield "runtime", match[1], f"torch {facts['version']} ({file})"


PROBE = Probe(section="rocm", inspect=inspect)

"""AMD GPUs, from files as the kernel's documentation describes them: no such GPU was at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from envfreeze.probes import Target, rocm
from envfreeze.records.environment import Gpu


def node(
    folder: Path, number: int, *, gpu_id: int, version: int, name: str, memory: int = 0, minor: int = 0
) -> None:
    here = folder / str(number)
    (here / "mem_banks" / "0").mkdir(parents=True)
    (here / "gpu_id").write_text(f"{gpu_id}\n")
    (here / "name").write_text(f"{name}\n")
    (here / "properties").write_text(
        f"cpu_cores_count 0\nsimd_count 440\ngfx_target_version {version}\ndrm_render_minor {minor}\n"
    )
    bank = f"heap_type 1\nsize_in_bytes {memory}\nflags 0\n"
    (here / "mem_banks" / "0" / "properties").write_text(bank)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A processor and two GPUs."""
    nodes = tmp_path / "nodes"
    node(nodes, 0, gpu_id=0, version=0, name="")
    node(nodes, 1, gpu_id=51110, version=90010, name="aldebaran", memory=64 << 30)
    node(nodes, 10, gpu_id=7, version=110000, name="", memory=24 << 30)
    (tmp_path / "version").write_text("6.7.0\n")
    monkeypatch.setattr(rocm, "NODES", nodes)
    monkeypatch.setattr(rocm, "DRIVER", tmp_path / "version")
    monkeypatch.setattr(rocm, "CARDS", tmp_path / "cards")
    return tmp_path


def target(project: Path, *libraries: str, **facts: Any) -> Target:
    return Target(
        executable="python",
        directory=str(project),
        environment={},
        facts={"distributions": [facts] if facts else []},
        libraries=libraries,
        project=project,
    )


def test_gpus_and_driver(machine: Path) -> None:
    value = rocm.inspect(target(machine)).value
    assert value.gpus == (
        Gpu(model="aldebaran", memory=64 << 30, compute_capability="gfx90a"),
        Gpu(model="gfx1100", memory=24 << 30, compute_capability="gfx1100"),
    )
    assert value.driver == "6.7.0"


def test_names_and_partitions_of_server_cards(machine: Path) -> None:
    node(machine / "nodes", 11, gpu_id=9, version=90402, name="gfx942", memory=192 << 30, minor=130)
    card = machine / "cards" / "renderD130" / "device"
    card.mkdir(parents=True)
    (card / "product_name").write_text("AMD Instinct MI300X\n")
    (card / "current_compute_partition").write_text("SPX\n")
    gpu = rocm.inspect(target(machine)).value.gpus[-1]
    assert (gpu.model, gpu.mig, gpu.instances) == ("AMD Instinct MI300X", "disabled", ())
    (card / "current_compute_partition").write_text("CPX\n")
    gpu = rocm.inspect(target(machine)).value.gpus[-1]
    assert (gpu.compute_capability, gpu.mig, gpu.instances) == ("gfx942", "enabled", ("CPX",))


def test_libraries_as_loaded_count_for_more_than_what_torch_was_built_with(machine: Path) -> None:
    (machine / "torch").mkdir()
    (machine / "torch" / "version.py").write_text(
        "cuda: Optional[str] = None\nhip: Optional[str] = '6.2.41133-dd7f95'\n"
    )
    torch = {"name": "torch", "version": "2.5.1+rocm6.2", "location": str(machine)}
    assert rocm.inspect(target(machine, **torch)).value.runtime == "6.2.41133"
    loaded = ("/opt/rocm-6.2.4/lib/libamdhip64.so.6.2.60204", "/opt/rocm-6.2.4/lib/librccl.so.1.0.60204")
    value = rocm.inspect(target(machine, *loaded, **torch)).value
    assert (value.runtime, value.rccl) == ("6.2.60204", "1.0.60204")
    assert value.evidence == loaded


def test_nothing_of_amd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rocm, "NODES", tmp_path / "none")
    assert rocm.inspect(target(tmp_path, "/usr/lib/libc.so.6")).value is None


def test_whether_a_run_used_a_gpu(machine: Path) -> None:
    hip = "/opt/rocm-6.2.4/lib/libamdhip64.so.6.2.60204"
    seen = msgspec.structs.replace(target(machine, hip), was_run=True)
    assert rocm.inspect(seen).value.used is False  # a framework brings its libraries whether asked or not
    seen = msgspec.structs.replace(seen, devices=("/dev/dri/renderD128", "/dev/kfd"))
    value = rocm.inspect(seen).value
    assert value.used is True
    assert value.devices == ("/dev/dri/renderD128", "/dev/kfd")
    (item,) = value.libraries
    assert (item.name, item.version, item.origin, item.path) == ("amdhip64", "6.2.60204", "system", hip)

"""The processor, its limits, and the numerical libraries of the run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envfreeze.probes import Target, cpu
from envfreeze.records.environment import NumericalLibrary

X86 = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8481C
flags\t\t: fpu sse4_2 smep avx avx2 fma f16c avx512f avx512_vnni avx_vnni amx_tile rdrand hypervisor

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: another
"""
ARM = """\
processor\t: 0
Features\t: fp asimd evtstrm aes sve sve2 i8mm bf16 cpuid
CPU implementer\t: 0x41
CPU part\t: 0xd4f
"""


def test_x86(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_text", lambda path: X86 if path.name == "cpuinfo" else "")
    value = cpu.describe()
    assert (value.vendor, value.model) == ("GenuineIntel", "Intel(R) Xeon(R) Platinum 8481C")
    assert value.features == (
        "amx_tile",
        "avx",
        "avx2",
        "avx512_vnni",
        "avx512f",
        "avx_vnni",
        "f16c",
        "fma",
        "sse4_2",
    )


def test_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_text", lambda path: ARM if path.name == "cpuinfo" else "")
    value = cpu.describe()
    assert (value.vendor, value.model) == ("ARM", "0xd4f")
    assert value.features == ("asimd", "bf16", "i8mm", "sve", "sve2")


def test_this_machine() -> None:
    value = cpu.describe()
    assert 1 <= value.usable_cores <= len(os.sched_getaffinity(0)) <= value.logical_cores
    assert 1 <= value.physical_cores <= value.logical_cores
    assert list(value.features) == sorted(value.features)


@pytest.mark.parametrize(
    ("membership", "files", "quotas"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "150000 100000\n", "a/cpu.max": "max 100000\n"}, [1.5]),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "cpu.max": "100000 100000"}, [1.0, 3.0]),
        (
            "3:cpu,cpuacct:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "50000\n", "cpu/x/cpu.cfs_period_us": "100000\n"},
            [0.5],
        ),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, []),
        ("2:memory:/x\n", {"memory/x/cpu.max": "1 1"}, []),
        ("", {}, []),
    ],
)
def test_control_groups(tmp_path: Path, membership: str, files: dict[str, str], quotas: list[float]) -> None:
    (tmp_path / "membership").write_text(membership)
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert sorted(cpu._quotas(tmp_path / "cgroup", tmp_path / "membership")) == quotas


def test_libraries_of_the_run(tmp_path: Path) -> None:
    openblas = {
        "user_api": "blas",
        "internal_api": "openblas",
        "num_threads": 2,
        "prefix": "libscipy_openblas",
        "filepath": "/venv/lib/numpy.libs/libscipy_openblas64_.so",
        "version": "0.3.30",
        "threading_layer": "pthreads",
        "architecture": "SkylakeX",
    }
    openmp = {"internal_api": "openmp", "num_threads": 2, "filepath": "/lib/libgomp.so.1", "version": None}
    torch = {"internal_api": "torch", "version": "2.13.0+cpu", "architecture": "AVX512", "num_threads": 2}
    target = Target(
        executable="python",
        directory="/",
        environment={},
        numerics=(torch, openmp, openblas, dict(openblas)),
        project=tmp_path,
    )
    assert cpu.inspect(target).value.libraries == (
        NumericalLibrary(
            name="openblas",
            version="0.3.30",
            kernels="SkylakeX",
            threads=2,
            library="libscipy_openblas64_.so",
        ),
        NumericalLibrary(name="openmp", threads=2, library="libgomp.so.1"),
        NumericalLibrary(name="torch", version="2.13.0+cpu", kernels="AVX512", threads=2),
    )

"""The tables of ``benchmarks/portability/`` against the digests that real processors gave.

They need environments with the libraries in the versions of the digests, as
``$ENVFREEZE_REAL_ENVIRONMENTS/{torch,tf,jax}`` (``test_real.py``).
"""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path

import pytest

from envfreeze.observer import inject

ENVIRONMENTS = os.environ.get("ENVFREEZE_REAL_ENVIRONMENTS", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.index,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not ENVIRONMENTS, reason="ENVFREEZE_REAL_ENVIRONMENTS names no environments"),
    pytest.mark.skipif(
        platform.machine() != "x86_64", reason="the profile portable is for x86-64 processors"
    ),
    pytest.mark.skipif(inject.kernels() is None, reason="this installation has no library for it"),
]
TABLES = {
    "numpy": "torch", "scipy": "torch", "sklearn": "torch", "lightgbm": "torch", "xgboost": "torch",
    "torch": "torch", "jax": "jax", "tensorflow": "tf",
}  # fmt: skip
NOT_PORTABLE = {"xla_rsqrt"}
"""Named as such in docs/portability.md."""


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_the_bits_of_every_reference(table: str, tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "portability.py"
    spec = importlib.util.spec_from_file_location("portability", path)
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)

    python = str(Path(ENVIRONMENTS) / TABLES[table] / "bin" / "python")
    found = benchmark.run(table, python, benchmark.portable(tmp_path), None, 1500.0)
    assert found["crashed"] == []
    known = [item["tables"][table] for item in benchmark.references().values() if table in item["tables"]]
    known = [item for item in known if item["versions"] == found["versions"]]
    if not known:
        pytest.skip(f"no digests of {found['versions']}")
    for reference in known:
        count, different = benchmark.compared(reference["digests"], found["digests"])
        assert count == len(reference["digests"])
        assert set(different) <= NOT_PORTABLE

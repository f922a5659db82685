from __future__ import annotations

import pytest

from envfreeze import determinism
from envfreeze.determinism import Library, _threads, settings
from envfreeze.records.environment import Cpu, Cuda, Gpu, Interpreter, NumericalLibrary, Package
from envfreeze.records.files import StreamEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation
from envfreeze.registry import members

EMPTY = StreamEntry(sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
SIXTEEN = Cpu(usable_cores=16, logical_cores=16, physical_cores=8)


def lock(
    *packages: str,
    environment: dict[str, str] | None = None,
    cpu: Cpu = SIXTEEN,
    gpu: bool = False,
) -> Lock:
    return Lock(
        envfreeze_lock=1,
        run=Observation(
            command=("python", "train.py"),
            directory="/home/project",
            project="/home/project",
            environment=environment or {},
            stdout=EMPTY,
            stderr=EMPTY,
        ),
        interpreter=Interpreter(implementation="CPython", version="3.11.7"),
        packages=tuple(Package(name=name, version="1") for name in packages),
        cpu=cpu,
        cuda=Cuda(gpus=(Gpu(model="H100"),)) if gpu else None,
    )


def values(recorded: Lock) -> dict[str, str]:
    return {setting.variable: setting.value for setting in settings(recorded)}


@pytest.fixture
def other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_threads, "cores_here", lambda: (4, 4))
    monkeypatch.setattr("envfreeze.determinism.mkl.cores_here", lambda: (4, 4))


@pytest.fixture
def same_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_threads, "cores_here", lambda: (16, 8))
    monkeypatch.setattr("envfreeze.determinism.mkl.cores_here", lambda: (16, 8))


def test_every_run_gets_a_hash_seed_a_locale_and_a_time_zone(same_machine: None) -> None:
    assert values(lock()) == {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8", "TZ": "UTC"}


def test_a_recorded_variable_wins(other_machine: None) -> None:
    recorded = {
        "PYTHONHASHSEED": "random",
        "LC_ALL": "de_DE.UTF-8",
        "TZ": "Europe/Berlin",
        "OMP_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "1",
    }
    chosen = values(lock("numpy", "scikit-learn", environment=recorded))
    assert set(chosen) == {"OMP_DYNAMIC"}


def test_thread_counts_stay_unset_on_a_machine_with_the_same_cores(same_machine: None) -> None:
    """joblib and torchrun divide the cores among their workers unless OMP_NUM_THREADS is set."""
    chosen = values(lock("numpy", "torch", "numexpr", "numba", "blis", "polars", "scikit-learn"))
    assert not [name for name in chosen if "THREADS" in name or "DYNAMIC" in name]


def test_thread_counts_are_restored_on_another_machine(other_machine: None) -> None:
    chosen = values(lock("numpy", "torch", "numexpr", "numba", "blis", "polars", "tensorflow"))
    assert chosen["OMP_NUM_THREADS"] == "16"
    assert chosen["OMP_DYNAMIC"] == "FALSE"
    assert chosen["OPENBLAS_NUM_THREADS"] == "16"
    assert chosen["NUMBA_NUM_THREADS"] == "16"
    assert chosen["POLARS_MAX_THREADS"] == "16"
    assert chosen["TF_NUM_INTRAOP_THREADS"] == "16"
    assert chosen["MKL_NUM_THREADS"] == "8"
    assert chosen["MKL_DYNAMIC"] == "FALSE"
    assert chosen["NUMEXPR_NUM_THREADS"] == "8"
    assert chosen["BLIS_NUM_THREADS"] == "1"


def test_threads_seen_in_force_come_before_the_default(other_machine: None) -> None:
    seen = (
        NumericalLibrary(name="openblas", threads=6),
        NumericalLibrary(name="openmp", threads=2),
        NumericalLibrary(name="openmp", threads=5),
        NumericalLibrary(name="mkl", threads=3),
    )
    cpu = Cpu(usable_cores=16, logical_cores=16, physical_cores=8, libraries=seen)
    chosen = values(lock("numpy", "torch", cpu=cpu))
    assert chosen["OPENBLAS_NUM_THREADS"] == "6"
    assert chosen["OMP_NUM_THREADS"] == "5"
    assert chosen["MKL_NUM_THREADS"] == "3"
    assert "MKL_DYNAMIC" not in chosen


@pytest.mark.parametrize("variable", ["NUMEXPR_NUM_THREADS", "BLIS_NUM_THREADS"])
def test_a_recorded_omp_num_threads_already_decides(variable: str, other_machine: None) -> None:
    chosen = values(lock("numexpr", "blis", environment={"OMP_NUM_THREADS": "16"}))
    assert variable not in chosen


def test_nothing_is_invented_when_the_recorded_cores_are_unknown(other_machine: None) -> None:
    assert not [name for name in values(lock("numpy", "torch", cpu=Cpu())) if "THREADS" in name]


def test_gpu_switches_are_for_gpus(same_machine: None) -> None:
    gpu_switches = {"CUBLAS_WORKSPACE_CONFIG", "TF_CUDNN_DETERMINISTIC", "XLA_FLAGS"}
    with_gpu = values(lock("torch", "tensorflow", "jax", gpu=True))
    assert gpu_switches <= set(with_gpu)
    assert with_gpu["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not gpu_switches & set(values(lock("torch", "tensorflow", "jax")))
    assert not gpu_switches & set(values(lock("numpy", gpu=True)))


@pytest.mark.parametrize(
    "variable",
    [
        "MKL_CBWR",
        "NVIDIA_TF32_OVERRIDE",
        "TF_ENABLE_ONEDNN_OPTS",
        "TF_DETERMINISTIC_OPS",
        "SOURCE_DATE_EPOCH",
    ],
)
def test_switches_that_change_what_the_recorded_run_did_are_left_alone(
    variable: str, other_machine: None
) -> None:
    assert variable not in values(lock("torch", "tensorflow", "matplotlib", "mkl", gpu=True))


def test_every_rule_says_what_it_does_and_where_that_is_written() -> None:
    libraries = members(determinism, "LIBRARY", Library)
    assert len(libraries) >= 13
    for library in libraries:
        for rule in library.rules:
            assert rule.source.startswith("https://"), rule.variable
            assert len(rule.effect) > 40, rule.variable


def test_a_lock_without_a_run_has_settings_too(same_machine: None) -> None:
    bare = Lock(envfreeze_lock=1, interpreter=Interpreter(implementation="CPython", version="3.11.7"))
    assert values(bare) == {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8", "TZ": "UTC"}

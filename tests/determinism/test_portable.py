"""The profile portable: what it preloads and sets, and that its functions give the same bits everywhere."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import math
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from envfreeze import workflow
from envfreeze.determinism import _kernels, settings_at_freeze
from envfreeze.determinism._kernels import KERNELS, not_covered, require
from envfreeze.errors import EnvironmentFailure
from envfreeze.observer import inject
from envfreeze.records.environment import Cpu, Interpreter, Package
from envfreeze.records.lock import Lock

pytestmark = [
    pytest.mark.skipif(
        platform.machine() != "x86_64", reason="the profile portable is for x86-64 processors"
    ),
    pytest.mark.skipif(inject.kernels() is None, reason="this installation has no library for it"),
]

DIGESTS = {
    "vdSqrt": "c950563e6f55866a",
    "vsSqrt": "066d63e2bbc97ffa",
    "vdAsin": "b3e760b9f829ab57",
    "vsAsin": "77ffb4970f085e63",
    "vdAcos": "99346556bf22aa66",
    "vsAcos": "5fe9f7c45829af02",
    "vdLog10": "578335efd633d268",
    "vsLog10": "018e4735fb2b28f1",
    "vdLog2": "633abf17ef4c18ec",
    "vsLog2": "70b80b80498a4708",
    "vdLn": "faf6c0a8bd34591c",
    "vsLn": "812fdbc823ef9517",
    "vsTan": "a9fa3a64c7930f68",
}
"""First 16 digits of the SHA-256 of the results, which every compiler and processor has to give."""

NUMPY_ALONE = """
exp_f4 log_f4 sin_f4 cos_f4 sqrt_f8 sqrt_f4 reciprocal_f8 reciprocal_f4 sum_f8 sum_f4 mean_f2 std cumsum prod
complex_product dot matmul_f8 matmul_f4 matvec einsum tensordot svd eig eigh qr cholesky inv solve lstsq pinv
norm sort histogram convolve corrcoef polyfit interp permutation linear_regression_by_gradient_descent
""".split()  # noqa: SIM905

NUMPY_DIGESTS = {"2.4.6": "cdd1c89e5a392f08"}
"""Of the digests of ``NUMPY_ALONE``; the same on an AMD EPYC and on QEMU's Skylake-Client and EPYC-Rome."""

EXACT = {
    "Sqrt": np.sqrt, "Asin": np.arcsin, "Acos": np.arccos, "Log10": np.log10, "Log2": np.log2, "Ln": np.log,
    "Tan": np.tan,
}  # fmt: skip


def inputs(name: str) -> np.ndarray:
    """Within the function's domain; also close to its hard places and to the ends of its vectors."""
    draw = np.random.RandomState(7)
    if "Asin" in name or "Acos" in name:
        given = np.concatenate([draw.random_sample(40001) * 2 - 1, 1 - draw.random_sample(999) / 2**40])
    elif "Tan" in name:
        given = (draw.random_sample(41001) - 0.5) * 2.0 ** draw.randint(-20, 17, 41001)
    else:
        given = np.concatenate(
            [
                (draw.random_sample(20001) + 0.5) * 2.0 ** draw.randint(-120, 120, 20001),
                draw.random_sample(9999) + 0.5,
            ]
        )
    return given.astype("f4" if name[1] == "s" else "f8")


def call(name: str, given: np.ndarray) -> np.ndarray:
    library = ctypes.CDLL(str(KERNELS))
    made = np.empty_like(given)
    pointers = (array.ctypes.data_as(ctypes.c_void_p) for array in (given, made))
    getattr(library, name)(ctypes.c_int(len(given)), *pointers)
    return made


@pytest.mark.parametrize("name", DIGESTS)
def test_a_function_gives_the_same_bits_on_every_processor(name: str) -> None:
    made = call(name, inputs(name))
    assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == DIGESTS[name]


@pytest.mark.parametrize("name", DIGESTS)
def test_a_function_is_within_one_unit_in_the_last_place(name: str) -> None:
    """Against the C library's functions in extended precision, of 64 bits."""
    given = inputs(name)
    made = call(name, given)
    exact = EXACT[name[2:]](given.astype(np.longdouble))
    unit = np.spacing(np.abs(exact).astype(given.dtype)).astype(np.longdouble)
    assert float(np.max(np.abs(made - exact) / unit)) < (0.5 + 1e-3 if name[1] == "s" else 0.9)


@pytest.mark.parametrize("name", DIGESTS)
def test_edges_are_those_of_the_standard(name: str) -> None:
    edges = np.array(
        [0.0, -0.0, 1.0, np.inf, -np.inf, np.nan, 1e-40, -2.0], dtype="f4" if name[1] == "s" else "f8"
    )
    made = call(name, edges)
    with np.errstate(all="ignore"):
        wanted = EXACT[name[2:]](edges.astype(np.longdouble)).astype(edges.dtype)
    np.testing.assert_allclose(made, wanted, rtol=1e-6)
    assert (np.signbit(made) == np.signbit(wanted))[np.isfinite(wanted)].all()


@pytest.mark.parametrize("name", ["vmdAsin", "vdAsin_64", "vmdAsin_64"])
def test_every_name_of_the_family_leads_to_the_same_function(name: str) -> None:
    given = inputs("vdAsin")
    library = ctypes.CDLL(str(KERNELS))
    made = np.empty_like(given)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (given, made)]
    mode = [ctypes.c_int64(2)] if name.startswith("vm") else []
    getattr(library, name)(ctypes.c_int64(len(given)), *pointers, *mode)
    assert made.tobytes() == call("vdAsin", given).tobytes()


def test_in_place_and_for_every_length() -> None:
    for count in range(70):
        given = inputs("vdLn")[:count].copy()
        wanted = call("vdLn", given)
        pointer = given.ctypes.data_as(ctypes.c_void_p)
        ctypes.CDLL(str(KERNELS)).vdLn(ctypes.c_int(count), pointer, pointer)
        assert given.tobytes() == wanted.tobytes()


KERNELS_OF_TENSORFLOW = {
    "Reciprocal": lambda x: 1 / x,
    "Inv": lambda x: 1 / x,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Atan": np.arctan,
    "Erfc": np.vectorize(math.erfc),
    "Softmax": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
}


def tensorflow_kernel(name: str, given: np.ndarray) -> np.ndarray:
    made = np.empty_like(given)
    pointers = (array.ctypes.data_as(ctypes.c_void_p) for array in (given, made))
    size, columns = ctypes.c_int64(given.size), ctypes.c_int64(given.shape[-1])
    library = ctypes.CDLL(str(KERNELS))
    assert library.envfreeze_portable_kernel(name.encode(), size, columns, *pointers) == 1
    return made


@pytest.mark.parametrize("name", KERNELS_OF_TENSORFLOW)
@pytest.mark.parametrize("count", [1, 7, 8, 1003])
def test_a_kernel_of_tensorflow_rounds_correctly_or_nearly_so(name: str, count: int) -> None:
    given = (np.random.RandomState(3).random_sample(count) * 20 + 0.01).astype("f4")
    given = given - np.float32(10) if name in ("Atan", "Softmax") else given
    wanted = KERNELS_OF_TENSORFLOW[name](given.astype("f8"))
    made = tensorflow_kernel(name, given)
    unit = np.spacing(np.abs(wanted).astype("f4"))
    assert float(np.max(np.abs(made - wanted) / unit)) < (1.5 if name == "Softmax" else 0.5001)


def test_softmax_is_of_each_row_and_keeps_what_is_no_number() -> None:
    rows = np.array([[0, 0], [np.nan, 1], [-np.inf, 3], [-np.inf, -np.inf], [800, -800]], dtype="f4")
    wanted = np.array([[0.5, 0.5], [np.nan] * 2, [0, 1], [np.nan] * 2, [1, 0]])
    np.testing.assert_array_equal(tensorflow_kernel("Softmax", rows), wanted.astype("f4"))


def test_a_tensorflow_that_takes_no_kernels_is_told_apart() -> None:
    library = ctypes.CDLL(str(KERNELS))
    assert library.envfreeze_portable_tensorflow(b"/nowhere/libtensorflow_framework.so.2") == 0
    libc = next(
        line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libc" in line
    )
    assert library.envfreeze_portable_tensorflow(libc.encode()) == 0


def test_mkl_is_told_of_the_same_processor_everywhere() -> None:
    library = ctypes.CDLL(str(KERNELS))
    assert library.mkl_serv_intel_cpu() == library.mkl_serv_intel_cpu_true() == 1
    assert library.mkl_serv_cpuiszen() == 0
    library.mkl_serv_get_cpu_true.restype = ctypes.CFUNCTYPE(ctypes.c_int)
    assert library.mkl_serv_get_cpu_true()() == 1


def test_one_instruction_set_and_one_thread_for_all_libraries() -> None:
    chosen = {item.variable: item.value for item in settings_at_freeze("portable", {})}
    assert chosen["OMP_NUM_THREADS"] == chosen["MKL_NUM_THREADS"] == chosen["OPENBLAS_NUM_THREADS"] == "1"
    assert chosen["OPENBLAS_CORETYPE"] == "Haswell"
    assert chosen["MKL_CBWR"] == "AVX2,STRICT"
    assert chosen["ATEN_CPU_CAPABILITY"] == "avx2"
    assert chosen["ONEDNN_MAX_CPU_ISA"] == chosen["DNNL_MAX_CPU_ISA"] == "AVX2"
    assert {"X86_V4", "AVX512F"} <= set(chosen["NPY_DISABLE_CPU_FEATURES"].split())
    assert chosen["torch.backends.mkldnn.enabled"] == "false"
    assert "torch.manual_seed" not in chosen


def test_a_number_of_threads_that_the_user_gave_is_kept() -> None:
    chosen = {item.variable for item in settings_at_freeze("portable", {"OMP_NUM_THREADS": "4"})}
    assert "OMP_NUM_THREADS" not in chosen


@pytest.mark.parametrize(
    ("machine", "features", "said"),
    [("aarch64", (), "is aarch64"), ("x86_64", ("avx", "sse4_2"), "lacks avx2 and fma")],
)
def test_other_processors_are_refused(
    machine: str, features: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_kernels.platform, "machine", lambda: machine)
    monkeypatch.setattr("envfreeze.probes.cpu.describe", lambda: Cpu(features=features))
    with pytest.raises(EnvironmentFailure, match=said):
        require("portable")
    require("recorded")


def test_what_is_not_covered_is_named() -> None:
    def lock(name: str) -> Lock:
        interpreter = Interpreter(implementation="CPython", version="3.11.7")
        return Lock(envfreeze_lock=1, interpreter=interpreter, packages=(Package(name=name, version="1"),))

    assert any("atan2" in text for text in not_covered(lock("tensorflow")))
    assert not_covered(lock("numpy")) == ()


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """``benchmarks/portability.py``, which is no module of the package."""
    path = Path(__file__).parents[2] / "benchmarks" / "portability.py"
    spec = importlib.util.spec_from_file_location("portability", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(np.__version__ not in NUMPY_DIGESTS, reason="no digest of this version of numpy")
def test_numpy_gives_the_bits_of_other_processors(benchmark: ModuleType, tmp_path: Path) -> None:
    """What neither the C library nor its version has a part in, so that it is the same on every Linux."""
    found = benchmark.run("numpy", sys.executable, benchmark.portable(tmp_path), None, 300.0)
    assert found["crashed"] == []
    together = hashlib.sha256("".join(found["digests"][name] for name in NUMPY_ALONE).encode())
    assert together.hexdigest()[:16] == NUMPY_DIGESTS[np.__version__]


def test_numpy_says_that_its_kernels_for_avx512_are_off(tmp_path: Path) -> None:
    """It still lists features that the processor has and that it has no kernels for."""
    variables = {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": next(
            item.value
            for item in settings_at_freeze("portable", {})
            if item.variable == "NPY_DISABLE_CPU_FEATURES"
        ),
    }
    program = (
        "import os, sys\n"
        f"sys.path.insert(0, {str(inject.AGENT)!r})\n"
        "import numpy\n"
        "from envfreeze_settings_calls import _numpy\n"
        "print(list(_numpy(dict(os.environ))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[('NPY_DISABLE_CPU_FEATURES', 'yes', 'off in numpy')]"


def xla_flags(given: str, module: str, version: str) -> list[str]:
    """What XLA_FLAGS is after the agent's calls in a process that has ``module`` in this version."""
    program = (
        "import os, sys, types\n"
        f"sys.path.insert(0, {str(inject.AGENT)!r})\n"
        "from envfreeze_settings_calls import CALLS\n"
        f"module = types.ModuleType({module!r})\n"
        f"module.__version__ = {version!r}\n"
        "sys.modules['jaxlib'] = module\n"
        "for name in ('cpu_max_isa', 'cpu_platform_math'):\n"
        f"    call = CALLS['{module}.xla.' + name]\n"
        "    try:\n"
        "        call.make(module, 'true')\n"
        "        assert call.read(module, 'true') == 'true'\n"
        "    except ValueError as error:\n"
        "        assert 'does not know --xla_cpu_' in str(error)\n"
        "        assert call.read(module, 'true') == 'false'\n"
        "print(os.environ['XLA_FLAGS'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"XLA_FLAGS": given},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_xla_gets_the_flags_that_it_knows_and_reads_them_all() -> None:
    """It ends the process for a flag that it does not know, and stops reading at a word that is no flag."""
    limit, products = "--xla_cpu_max_isa=AVX2", "--xla_cpu_multi_thread_eigen=false"
    own = "--xla_cpu_enable_platform_dependent_math=false"
    assert xla_flags("", "jax", "0.10.2") == xla_flags("", "tensorflow", "2.21.0") == [own, limit, products]
    assert xla_flags("", "jax", "0.7.2") == xla_flags("", "tensorflow", "2.20.0") == [limit, products]
    assert xla_flags("", "jax", "0.4.30") == []
    assert xla_flags("word --xla_dump_to=x", "jax", "0.8.0")[-3:] == [products, "word", "--xla_dump_to=x"]


def test_freeze_and_replay(tmp_path: Path) -> None:
    """The run and its replay load the library and see the variables, and the lock says so."""
    project = tmp_path / "project"
    project.mkdir()
    script = (
        "import os\n"
        "maps = open('/proc/self/maps').read()\n"
        "text = os.environ['OMP_NUM_THREADS'] + os.environ['MKL_CBWR'] + str('portable.so' in maps)\n"
        "open('out.txt', 'w').write(text)\n"
    )
    (project / "run.py").write_text(script)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    lock = workflow.freeze(
        [str(tmp_path / "venv/bin/python"), "run.py"],
        project=project,
        directory=project,
        profile="portable",
        prove=False,
        dockerfile=False,
    )
    assert (project / "out.txt").read_text() == "1AVX2,STRICTTrue"
    assert lock.run is not None and lock.run.profile == "portable"
    states = {item.variable: item.in_force for item in lock.run.settings}
    assert states["OMP_NUM_THREADS"] == "yes"
    run = workflow.replay(project, engine="local")
    assert run.profile == "portable"
    assert run.comparison is not None and run.comparison.verdict == "identical"

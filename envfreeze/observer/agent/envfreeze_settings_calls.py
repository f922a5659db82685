"""The calls that a determinism profile may ask for, each written out: a lock comes from strangers.

A call has the module that it waits for, ``make(module, argument)`` and ``read(module, argument)``: what the
library says of the setting now, as text that equals the argument when it is in force, or None when it cannot
be asked. Arguments are ``true``, ``false`` or a whole number.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any


class Call:
    def __init__(
        self, module: str, make: Callable[[Any, str], object], read: Callable[[Any, str], str | None]
    ) -> None:
        self.module, self.make, self.read = module, make, read


def _flag(value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError("%r is neither true nor false" % value[:40])
    return value == "true"


def _said(value: object) -> str:
    return "true" if value else "false"


def _number(value: str) -> int:
    if not value.isdecimal() or len(value) > 20:
        raise ValueError("%r is no whole number" % value[:40])
    return int(value)


def _unreadable(module: Any, value: str) -> None:
    return None


def _randomness_is_seeded() -> bool:
    """True when the shim makes all randomness from the seed: each process then has its own, as it should."""
    from envfreeze_agent_report import shim_is_here  # type: ignore[import-not-found,unused-ignore]

    return bool(shim_is_here) and os.environ.get("ENVFREEZE_TAPE") == "seeded"


def _seed_random(module: Any, value: str) -> None:
    if not _SEEDED:
        module.seed(_number(value))


def _seed_numpy(module: Any, value: str) -> None:
    if not _SEEDED:
        module.seed(_number(value) % 2**32)


def _attribute(path: str) -> tuple[Callable[[Any, str], None], Callable[[Any, str], str]]:
    """Setting and reading a flag of a module below the one that is waited for."""
    *folders, name = path.split(".")

    def holder(module: Any) -> Any:
        for folder in folders:
            module = getattr(module, folder)
        getattr(module, name)  # an AttributeError says that this version has no such flag
        return module

    def make(module: Any, value: str) -> None:
        setattr(holder(module), name, _flag(value))

    return make, lambda module, value: _said(getattr(holder(module), name))


def _op_determinism(module: Any, value: str) -> str | None:
    inner = sys.modules.get("tensorflow.python.framework.config")
    asked = getattr(inner, "is_op_determinism_enabled", None)
    return _said(asked()) if asked is not None else None


def _xla(flags: Sequence[str], since_jaxlib: tuple[int, int], since_tensorflow: tuple[int, int]) -> Any:
    """``make`` and ``read`` for flags of XLA, which ends the process for one that it does not know.

    They are read when the first device is asked for (xla/debug_options_flags.cc), which is after the import.
    Those that the run has already win, and come last, as XLA stops reading at a word that is no flag.
    """

    def make(module: Any, value: str) -> None:
        if not _flag(value):
            return
        is_jax = module.__name__ == "jax"
        version = getattr(sys.modules.get("jaxlib") if is_jax else module, "__version__", "0")
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        if numbers < (since_jaxlib if is_jax else since_tensorflow):
            raise ValueError("version %s does not know %s" % (version, flags[0].partition("=")[0]))
        given = os.environ.get("XLA_FLAGS", "").split()
        names = [flag.partition("=")[0] for flag in given]
        added = [flag for flag in flags if flag.partition("=")[0] not in names]
        os.environ["XLA_FLAGS"] = " ".join(added + given)

    def read(module: Any, value: str) -> str:
        return _said(set(flags) <= set(os.environ.get("XLA_FLAGS", "").split()))

    return make, read


_XLA_ISA = _xla(("--xla_cpu_max_isa=AVX2", "--xla_cpu_multi_thread_eigen=false"), (0, 5), (2, 19))
_XLA_MATH = _xla(("--xla_cpu_enable_platform_dependent_math=false",), (0, 8), (2, 21))

_taken: list[bool] = []


def _tensorflow_kernels(module: Any, value: str) -> None:
    """The preloaded library (determinism/portable/) registers kernels; a second time would be an error."""
    if not _flag(value) or _taken:
        return
    from ctypes import CDLL, c_char_p

    folder = module.sysconfig.get_lib()
    names = sorted(name for name in os.listdir(folder) if name.startswith("libtensorflow_framework.so"))
    register = CDLL(None).envfreeze_portable_tensorflow
    register.argtypes = [c_char_p]
    _taken.append(any(register(os.fsencode(os.path.join(folder, name))) for name in names))
    if not _taken[0]:
        raise ValueError("this version of TensorFlow takes no kernels from the profile's library")


CALLS = {
    "tensorflow.portable_kernels": Call(
        "tensorflow", _tensorflow_kernels, lambda module, value: _said(_taken == [True])
    ),
    "jax.xla.cpu_max_isa": Call("jax", *_XLA_ISA),
    "tensorflow.xla.cpu_max_isa": Call("tensorflow", *_XLA_ISA),
    "jax.xla.cpu_platform_math": Call("jax", *_XLA_MATH),
    "tensorflow.xla.cpu_platform_math": Call("tensorflow", *_XLA_MATH),
    "random.seed": Call("random", _seed_random, _unreadable),
    "numpy.random.seed": Call("numpy.random", _seed_numpy, _unreadable),
    "torch.manual_seed": Call(
        "torch",
        lambda torch, value: torch.manual_seed(_number(value)),
        lambda torch, value: None,
    ),
    # warn_only: an operation without a deterministic form warns, and does not end the program.
    "torch.use_deterministic_algorithms": Call(
        "torch",
        lambda torch, value: torch.use_deterministic_algorithms(_flag(value), warn_only=True),
        lambda torch, value: _said(torch.are_deterministic_algorithms_enabled()),
    ),
    "torch.backends.cudnn.deterministic": Call("torch", *_attribute("backends.cudnn.deterministic")),
    "torch.backends.cudnn.benchmark": Call("torch", *_attribute("backends.cudnn.benchmark")),
    "torch.backends.mkldnn.enabled": Call("torch", *_attribute("backends.mkldnn.enabled")),
    "torch.set_num_threads": Call(
        "torch",
        lambda torch, value: torch.set_num_threads(_number(value)),
        lambda torch, value: str(torch.get_num_threads()),
    ),
    "tensorflow.random.set_seed": Call(
        "tensorflow", lambda module, value: module.random.set_seed(_number(value)), _unreadable
    ),
    "tensorflow.config.experimental.enable_op_determinism": Call(
        "tensorflow",
        lambda module, value: module.config.experimental.enable_op_determinism() if _flag(value) else None,
        _op_determinism,
    ),
}

LIBRARIES = ("numpy", "scipy", "torch", "tensorflow", "jax", "sklearn", "lightgbm", "xgboost", "catboost",
             "numba", "polars", "numexpr", "cupy", "blis")  # fmt: skip
"""Modules whose being loaded is reported: a variable of a library that was not is in force nowhere."""

_POOLS = {"openblas": "OPENBLAS_NUM_THREADS", "openmp": "OMP_NUM_THREADS", "mkl": "MKL_NUM_THREADS",
          "blis": "BLIS_NUM_THREADS"}  # fmt: skip
_COUNTS = (
    ("NUMBA_NUM_THREADS", "numba", lambda module: module.config.NUMBA_NUM_THREADS),
    ("POLARS_MAX_THREADS", "polars", lambda module: module.thread_pool_size()),
    ("NUMEXPR_NUM_THREADS", "numexpr", lambda module: module.nthreads),
)


def in_force(variables: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Variable, ``yes`` or ``no``, and what the library says, of those that a loaded library can be asked."""
    for name, module, ask in _COUNTS:
        if name in variables and module in sys.modules:
            found = str(ask(sys.modules[module]))  # type: ignore[no-untyped-call,unused-ignore]
            yield name, "yes" if found == variables[name] else "no", found + " threads"
    torch = sys.modules.get("torch")
    processor: Any = getattr(getattr(torch, "backends", None), "cpu", None)
    capability: Any = getattr(processor, "get_cpu_capability", None)
    if "ATEN_CPU_CAPABILITY" in variables and capability is not None:
        yield "ATEN_CPU_CAPABILITY", _same(capability(), variables["ATEN_CPU_CAPABILITY"]), capability()
    yield from _mkl(variables)
    yield from _numpy(variables)
    yield from _pools(variables)


def _same(found: str, wanted: str) -> str:
    return "yes" if found.lower() == wanted.lower() else "no"


def _mkl(variables: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Whether MKL asked the preloaded library (determinism/portable/) for the processor.

    PyTorch's MKL is given a product and an arc sine to compute, as it asks only when it is used first.
    """
    if "MKL_CBWR" not in variables or not _has_mkl():
        return
    from ctypes import CDLL, c_int

    try:
        library = CDLL(None)
        asked = c_int.in_dll(library, "envfreeze_portable_questions")
        called = c_int.in_dll(library, "envfreeze_portable_calls")
    except (OSError, ValueError):
        yield "MKL_CBWR", "no", "the library that answers MKL is not loaded"
        return
    torch = sys.modules.get("torch")
    if torch is not None:
        tensor = torch.full((16, 16), 0.5, dtype=torch.float64, device="cpu")
        tensor.mm(tensor).asin()
    if asked.value and (called.value or torch is None):
        yield "MKL_CBWR", "yes", "MKL asked for the processor and uses the functions put before its own"
    else:
        what = "its functions are its own" if asked.value else "MKL did not ask for the processor"
        yield "MKL_CBWR", "no", what


def _has_mkl() -> bool:
    torch = sys.modules.get("torch")
    backend: Any = getattr(getattr(torch, "backends", None), "mkl", None)
    if torch is not None and backend is not None:
        return bool(backend.is_available())
    return "mkl" in sys.modules or "mkl_umath" in sys.modules


def _numpy(variables: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Only the features that numpy has kernels for count: it lists others that the processor has as well."""
    module = sys.modules.get("numpy._core._multiarray_umath") or sys.modules.get(
        "numpy.core._multiarray_umath"
    )
    features = getattr(module, "__cpu_features__", None)
    name = "NPY_DISABLE_CPU_FEATURES"
    if name in variables and features:
        words = variables[name].replace(",", " ").split()
        kernels = getattr(module, "__cpu_dispatch__", words)
        left = [word for word in words if features.get(word) and word in kernels]
        yield name, "no" if left else "yes", "still on: " + " ".join(left) if left else "off in numpy"


def _pools(variables: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Through threadpoolctl, where the program has loaded it (scikit-learn does)."""
    threadpoolctl = sys.modules.get("threadpoolctl")
    if threadpoolctl is None:
        return
    warnings = sys.modules.get("warnings")
    filters = list(warnings.filters) if warnings is not None else []
    try:
        if warnings is not None:
            warnings.simplefilter("ignore")
        pools = threadpoolctl.threadpool_info()
    finally:
        if warnings is not None:
            warnings.filters[:] = filters
    for pool in pools:
        name = _POOLS.get(pool.get("internal_api", ""), _POOLS.get(pool.get("user_api", ""), ""))
        if name in variables:
            found = str(pool.get("num_threads"))
            yield name, "yes" if found == variables[name] else "no", found + " threads"
        if pool.get("internal_api") == "openblas" and "OPENBLAS_CORETYPE" in variables:
            found = str(pool.get("architecture"))
            yield "OPENBLAS_CORETYPE", _same(found, variables["OPENBLAS_CORETYPE"]), found


def listen(tell: Callable[[str], None]) -> None:
    """Have PyTorch's warnings of operations without a deterministic form told; they are shown as ever."""
    warnings: Any = sys.modules.get("warnings")
    shown = getattr(warnings, "_showwarnmsg", None)
    if shown is None:
        return

    def show(message: Any) -> Any:
        try:
            text = str(message.message)
            if "deterministic" in text:
                tell(text[:300])
        except Exception:
            pass
        return shown(message)

    warnings._showwarnmsg = show


_SEEDED = _randomness_is_seeded()

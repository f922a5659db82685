"""Which variables of the environment are recorded with their values, and which by name only."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from envfreeze.redact import url_without_credentials

FAMILIES = (
    # Threads and kernels of numerical libraries.
    "OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "BLIS_", "VECLIB_", "NUMEXPR_", "GOTO_", "NPY_", "NUMBA_",
    "ATEN_", "ONEDNN_", "DNNL_",
    # Accelerators.
    "CUDA_", "CUBLAS_", "CUDNN_", "NVIDIA_", "NCCL_", "HIP_", "ROCR_", "HSA_", "MIOPEN_",
    # Frameworks.
    "TORCH", "PYTORCH_", "TF_", "XLA_", "JAX_", "KERAS_", "POLARS_", "RAYON_", "LOKY_", "CUPY_",
    # The interpreter, the C library, the locale.
    "PYTHON", "MALLOC_", "LC_", "MATPLOTLIB",
)  # fmt: skip
"""Prefixes of variables that decide what a run computes, as their libraries document them."""

SINGLE = frozenset(
    {"GLIBC_TUNABLES", "LANG", "LANGUAGE", "TZ", "SOURCE_DATE_EPOCH", "MPLBACKEND", "MPLCONFIGDIR",
     "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_BIND_NOW", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
)  # fmt: skip
"""Variables of no family that change results, or what a program prints."""

_TERRAFORM = ("TF_VAR_", "TF_CLI_", "TF_TOKEN_", "TF_LOG", "TF_DATA_DIR", "TF_WORKSPACE", "TF_INPUT")
"""Another tool's variables that share TensorFlow's prefix, and may well hold secrets."""

INTERNAL = "ENVFREEZE_"
"""Prefix of our own variables; they are recorded nowhere."""

_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL|AUTH|COOKIE|PRIVATE", re.IGNORECASE)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,;|'\"]+")


def split(
    environment: Mapping[str, str], further: Collection[str] = ()
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables that matter, with values, and the sorted names of all others.

    Args:
        further: names of more variables that matter.

    A name that looks secret keeps its value out even inside a family; URLs in values lose their credentials.
    """
    values: dict[str, str] = {}
    names: list[str] = []
    for name in sorted(environment):
        if name.startswith(INTERNAL):
            continue
        if (_matters(name) or name in further) and may_be_recorded(name, environment[name]):
            values[name] = _URL.sub(lambda match: url_without_credentials(match[0]), environment[name])
        else:
            names.append(name.encode(errors="replace").decode())
    return values, tuple(names)


def may_be_recorded(name: str, value: str) -> bool:
    """False for our own variables, for names that look secret, and for what is no text."""
    return not (name.startswith(INTERNAL) or _SECRET.search(name)) and _is_text(value)


def _matters(name: str) -> bool:
    return name in SINGLE or (name.startswith(FAMILIES) and not name.startswith(_TERRAFORM))


def _is_text(value: str) -> bool:
    return value == value.encode(errors="replace").decode()

"""GPUs and the CUDA stack: what the driver offers, and what the Python packages bring.

Nothing heavy is imported: versions come from ``nvidia-smi``, from the installed distributions, and from the
small files in which torch and tensorflow note what they were built with.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from envfreeze.errors import ProbeError
from envfreeze.probes import Probe, Section, Target
from envfreeze.records.environment import Cuda, Gpu
from envfreeze.records.files import Gap

TIMEOUT = 30.0
"""Seconds; loading the driver on a machine without persistence mode takes several."""

_FIELDS = ("driver_version", "name", "memory.total", "compute_cap")
"""``nvidia-smi --help-query-gpu``; ``compute_cap`` is missing before driver 510."""

_DISTRIBUTIONS = {
    "runtime": re.compile(r"nvidia-cuda-runtime(-cu\d+)?"),
    "cudnn": re.compile(r"nvidia-cudnn(-cu\d+)?"),
    "nccl": re.compile(r"nvidia-nccl(-cu\d+)?"),
}
"""Which distribution on PyPI carries which library; from CUDA 13 on without the suffix for the runtime."""

_NOTES = (
    ("torch", "torch/version.py", "runtime", re.compile(r"""^cuda\b[^=\n]*=\s*['"]([\d.]+)['"]""", re.M)),
    (
        "tensorflow",
        "tensorflow/python/platform/build_info.py",
        "runtime",
        re.compile(r"cuda_version\W+([\d.]+)"),
    ),
    (
        "tensorflow",
        "tensorflow/python/platform/build_info.py",
        "cudnn",
        re.compile(r"cudnn_version\W+([\d.]+)"),
    ),
)
"""Files in which a framework notes the versions that it was built with."""


def inspect(target: Target) -> Section:
    """No section where there is neither a GPU nor a CUDA package."""
    gaps: tuple[Gap, ...] = ()
    driver, driver_api = "", ""
    gpus: tuple[Gpu, ...] = ()
    if program := shutil.which("nvidia-smi", path=target.environment.get("PATH")):
        try:
            driver, gpus = _gpus(program)
            driver_api = _driver_api(program) if gpus else ""
        except ProbeError as error:
            gaps = (Gap(what="GPUs", why=str(error)),)
    versions: dict[str, str] = {}
    evidence = []
    for kind, version, source in _versions(target):
        versions.setdefault(kind, version)
        evidence.append(source)
    if not gpus and not evidence:
        return Section(value=None, gaps=gaps)
    value = Cuda(
        gpus=gpus, driver=driver, driver_api=driver_api, evidence=tuple(dict.fromkeys(evidence)), **versions
    )
    return Section(value=value, gaps=gaps)


def _gpus(program: str) -> tuple[str, tuple[Gpu, ...]]:
    """Driver version and GPUs; ``[N/A]`` stands where NVML has no answer."""
    for fields in (_FIELDS, _FIELDS[:-1]):
        query = f"--query-gpu={','.join(fields)}"
        finished = _run([program, query, "--format=csv,noheader,nounits"])
        if finished.returncode == 0:
            break
    text = finished.stdout.decode("utf-8", "replace")
    if finished.returncode != 0 and "No devices were found" not in text:
        words = (text or finished.stderr.decode("utf-8", "replace")).strip().splitlines()
        raise ProbeError(f"nvidia-smi failed: {words[0] if words else finished.returncode}")
    rows = [[word.strip() for word in line.split(",")] for line in text.splitlines()]
    rows = [row for row in rows if len(row) == len(fields)]
    gpus = tuple(
        Gpu(
            model=row[1],
            memory=int(row[2]) << 20 if row[2].isdigit() else 0,
            compute_capability=row[3] if len(row) > 3 and row[3][:1].isdigit() else "",
        )
        for row in rows
    )
    return (rows[0][0] if rows else ""), gpus


def _driver_api(program: str) -> str:
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


def _versions(target: Target) -> Iterator[tuple[str, str, str]]:
    """Kind, version and where it was read, the more exact source first."""
    from packaging.utils import canonicalize_name

    installed: dict[str, dict[str, Any]] = {
        canonicalize_name(facts["name"]): facts for facts in target.facts["distributions"] if "name" in facts
    }
    for name, facts in sorted(installed.items()):
        for kind, pattern in _DISTRIBUTIONS.items():
            if pattern.fullmatch(name):
                yield kind, facts["version"], f"{name} {facts['version']}"
    for name, file, kind, pattern in _NOTES:
        if facts := installed.get(name, {}):
            try:
                text = Path(facts["location"], file).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            if match := pattern.search(text):
                yield kind, match[1], f"{name} {facts['version']} ({file})"


PROBE = Probe(section="cuda", inspect=inspect)

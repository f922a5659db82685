"""What of this machine works for envfreeze, and how to mend the rest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from envfreeze.engines import Check, engines

MIN_FREE = 10 << 30
"""Bytes; an image with PyTorch and CUDA takes about 6 GB, and building it some more."""


def examine(project: Path) -> list[Check]:
    """Look at the engines, the GPU runtime, the package index, the installer and the disk, all at once."""
    looks: list[Callable[[], Check]] = [engine.check for engine in engines()]
    looks += [_gpu, _index, _installer, lambda: _disk(project), lambda: _folder(project)]
    with ThreadPoolExecutor(len(looks)) as pool:
        return list(pool.map(lambda look: look(), looks))


def _gpu() -> Check:
    if shutil.which("nvidia-smi") is None and os.path.exists("/dev/kfd"):  # noqa: PTH110
        return Check(name="GPU", state="ok", found="AMD GPU, which containers get by its devices")
    if shutil.which("nvidia-smi") is None:
        return Check(name="GPU", state="ok", found="no NVIDIA driver here; CPU runs only")
    if shutil.which("nvidia-container-runtime") or shutil.which("nvidia-ctk"):
        return Check(name="GPU", state="ok", found="NVIDIA driver and container toolkit")
    return Check(
        name="GPU",
        state="warning",
        found="NVIDIA driver, but containers cannot use it",
        mend="Install the NVIDIA Container Toolkit.",
    )


def _index() -> Check:
    import requests

    from envfreeze.probes.pip import of_this_machine
    from envfreeze.redact import url_without_credentials

    pip = of_this_machine()
    try:
        # The page of one small project: an index may not answer for its root, or answer with megabytes.
        answer = requests.get(f"{pip.index}/pip/", verify=pip.certificates or True, timeout=10, stream=True)
        answer.close()
        answer.raise_for_status()
    except (requests.RequestException, OSError) as error:
        return Check(
            name="package index",
            state="missing",
            found=f"{url_without_credentials(pip.index)} is not reached ({type(error).__name__})",
            mend="Check the network, the proxy (HTTPS_PROXY) and the certificates (SSL_CERT_FILE, PIP_CERT).",
        )
    return Check(name="package index", state="ok", found=f"{url_without_credentials(pip.index)} answers")


def _installer() -> Check:
    from importlib.util import find_spec

    if shutil.which("uv") or find_spec("uv"):
        return Check(name="installer", state="ok", found="uv")
    return Check(
        name="installer",
        state="ok",
        found="pip (uv installs several times faster)",
        mend="pip install 'envfreeze[fast]'",
    )


def _disk(project: Path) -> Check:
    free = shutil.disk_usage(project).free
    text = f"{free / (1 << 30):.0f} GiB free"
    if free < MIN_FREE:
        return Check(name="disk", state="warning", found=text, mend="Large images need 10 GiB and more.")
    return Check(name="disk", state="ok", found=text)


def _folder(project: Path) -> Check:
    if os.access(project, os.W_OK):
        return Check(name="project folder", state="ok", found="can be written")
    return Check(
        name="project folder",
        state="missing",
        found=f"{project} cannot be written",
        mend="Copy the project to a folder of yours.",
    )

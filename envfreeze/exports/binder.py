"""``.binder/``: the frozen environment for repo2docker and mybinder.org.

A Dockerfile is the one form that keeps the interpreter's exact version and every digest
(https://mybinder.readthedocs.io/en/latest/tutorials/dockerfile.html says what it has to bring). Jupyter
goes into an environment of its own; the kernel is the frozen Python, where ipykernel comes last on the path,
so that no package of the run is replaced.
"""

from __future__ import annotations

import json

from envfreeze.exports import Export
from envfreeze.exports._files import MADE_BY, python_version
from envfreeze.exports._layouts import dockerfile
from envfreeze.recipe.quote import exec_form
from envfreeze.records.lock import Lock

JUPYTER = ("jupyterlab>=4,<5", "notebook>=7,<8", "jupyterhub>=4,<6", "ipykernel>=6,<8")
"""Any of these serve notebooks to a hub; which ones, pip chooses by the interpreter."""

_PYTHON = "FROZEN_PYTHON"
"""Stands for the interpreter's path: of ``python`` alone, Jupyter makes its own interpreter
(``jupyter_client.kernelspec``, ``format_kernel_cmd``)."""

_IGNORED = (".git", ".envfreeze/objects", ".envfreeze/runs", ".envfreeze/tapes", ".envfreeze/environments")


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """Dockerfile, and what of the repository stays out of the image."""
    version = python_version(lock)
    packages = f"/opt/jupyter/lib/python{version.major}.{version.minor}/site-packages"
    start = f"import sys; sys.path.append({packages!r}); from ipykernel.kernelapp import main; main()"
    kernel = {
        "argv": [_PYTHON, "-c", start, "-f", "{connection_file}"],
        "display_name": f"Python {version} (frozen)",
        "language": "python",
    }
    wanted = " ".join(f"'{requirement}'" for requirement in JUPYTER)
    place = "/opt/jupyter/share/jupyter/kernels/python3/kernel.json"
    # printf's %s takes the text as it is; there is no single quote in it that the shell could end at.
    text = json.dumps(kernel).replace("'", "'\\''")
    return (
        dockerfile(
            lock,
            "# What Binder needs besides: Jupyter in an environment of its own.",
            "USER root",
            "RUN python -m venv /opt/jupyter \\",
            f"    && /opt/jupyter/bin/pip install --no-cache-dir --disable-pip-version-check {wanted} \\",
            "    && ln -s /opt/jupyter/bin/jupyter* /usr/local/bin/ \\",
            f"    && printf '%s' '{text}' | sed \"s#{_PYTHON}#$(command -v python)#\" > {place}",
            "ARG NB_USER=jovyan",
            "ARG NB_UID=1000",
            'ENV USER="${NB_USER}" NB_UID="${NB_UID}" HOME="/home/${NB_USER}"',
            'COPY --chown=${NB_UID}:${NB_UID} . "${HOME}"/',
            'RUN chown "${NB_UID}:${NB_UID}" "${HOME}"',
            "USER ${NB_UID}",
            "WORKDIR ${HOME}",
            f"CMD {exec_form(('jupyter', 'lab', '--ip', '0.0.0.0'))}",  # noqa: S104 - inside of the container
        ),
        "".join(f"{line}\n" for line in (f"# {MADE_BY}.", *_IGNORED)),
    )


EXPORT = Export(
    name="binder",
    summary="repo2docker, mybinder.org (a folder: -o .)",
    files=(".binder/Dockerfile", ".binder/Dockerfile.dockerignore"),
    render=render,
    context="",
)

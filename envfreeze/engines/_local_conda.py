"""Conda environments of the local engine: py-rattler links the packages, then pip's are installed as ever."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path

from envfreeze.engines import _local_install
from envfreeze.engines._conda_packages import fetch
from envfreeze.engines._local_interpreters import Python, ask
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.progress import Progress
from envfreeze.records.recipe import CondaRecipe
from envfreeze.store import Store

LONGEST_PREFIX = 254
"""Bytes: conda-build leaves 255 in binaries for the prefix and the zero behind it."""


def install(
    conda: CondaRecipe, environment: Path, context: Path, store: Store, *, progress: Progress
) -> tuple[Python, str, tuple[str, ...]]:
    """Make the environment; returns its own interpreter, the installer of pip's packages, and what to note.

    Scripts that packages bring for their linking are not run here, where nothing would confine them.

    Args:
        conda: what is linked.
        environment: the folder to make; what lies there is replaced.
        context: a folder with ``requirements.txt`` and ``wheels/``.
        store: where the packages of local channels lie.

    Raises:
        InputError: a package has another content than recorded, or is missing from the store.
        EnvironmentFailure: py-rattler is not installed, or the network, the disk or a package failed.
        OSError: the disk failed.
    """
    if importlib.util.find_spec("rattler") is None:
        raise EnvironmentFailure(
            "the lock has a conda environment, and py-rattler, which makes those, is not installed.",
            hint="Install it beside envfreeze: pip install py-rattler. Or: envfreeze replay --engine docker",
        )
    if len(str(environment)) > LONGEST_PREFIX:
        raise EnvironmentFailure(
            f"{environment} is too long a path for a conda environment.", hint="Work in a shorter one."
        )
    fetch(conda, store, context / "conda", progress=progress)
    shutil.rmtree(environment, ignore_errors=True)
    progress.step(f"linking {len(conda.packages)} conda packages")
    command = [sys.executable, "-I", str(context / "conda" / "install.py"), str(environment)]
    status, output = _local_install.run(command, context, _local_install.variables(), progress)
    if status != 0:
        raise _explained(output)
    found = ask(str(environment / "bin" / "python"))
    if found is None:
        raise EnvironmentFailure(
            "the Python of the conda environment does not start here.",
            hint="It may be made for another machine: see 'interpreter' in envfreeze.lock.",
        )
    notes = _not_run(environment)
    if not re.search(r"(?m)^[^#\s-]", (context / "requirements.txt").read_text()):
        return found, "conda", notes
    return found, _local_install.install_into(environment, context, progress=progress), notes


def _not_run(environment: Path) -> tuple[str, ...]:
    """Link scripts lie in ``bin/.NAME-post-link.sh`` (conda-build's documentation, "link scripts")."""
    names = sorted(
        path.name[1:].partition("-post-link")[0] for path in environment.glob("bin/.*-post-link.sh")
    )
    if not names:
        return ()
    return (f"scripts that conda would have run after linking were not run: of {', '.join(names[:5])}",)


def _explained(output: str) -> EnvironmentFailure | InputError:
    lines = [line for line in output.splitlines() if line.startswith("conda packages: ")]
    if lines:
        said = lines[-1].removeprefix("conda packages: ")
        return EnvironmentFailure(f"the conda packages could not be installed: {said}.")
    known = _local_install.explain(output)
    if isinstance(known, EnvironmentFailure | InputError):
        return known
    return EnvironmentFailure(
        "the conda packages could not be installed.", hint="Run again with -v for all that was said."
    )
